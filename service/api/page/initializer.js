// Draws the API's description, which lies beside this script's folder: behind a proxy with a prefix, too.
SwaggerUIBundle({
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayOperationId: false,
  persistAuthorization: false,
  tryItOutEnabled: false,
  validatorUrl: null,
});
