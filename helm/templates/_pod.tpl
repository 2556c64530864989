{{- /* A pod of Tightrope: `root`, `component`, `command`, `of` (the component's values), `state` (a claim's name, or
       empty), `once` (a pod that ends and has no probes) and `environment`. */}}
{{- define "tightrope.pod" -}}
{{- $values := .root.Values }}
metadata:
  labels: {{- include "tightrope.podLabels" . | nindent 4 }}
  annotations:
    checksum/config: {{ include "tightrope.config" .root | sha256sum }}
    {{- with .of.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "tightrope.serviceAccount" .root }}
  automountServiceAccountToken: false
  # Service variables would begin with TIGHTROPE_, and the program refuses unknown variables of that prefix.
  enableServiceLinks: false
  {{- with $values.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{- include "tightrope.podSecurity" . | nindent 4 }}
  {{- if .once }}
  restartPolicy: OnFailure
  {{- else }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- include "tightrope.spread" . | nindent 2 }}
  {{- with $values.extraInitContainers }}
  initContainers: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
  {{- with get $.of $key }}
  {{ $key }}: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - name: tightrope
      image: {{ include "tightrope.image" .root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [{{ .command }}, /etc/tightrope/tightrope.yaml]
      securityContext: {{- include "tightrope.security" . | nindent 8 }}
      {{- with concat (default list .environment) $values.extraEnv }}
      env: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if not .once }}
      {{- include "tightrope.probes" . | nindent 6 }}
      {{- end }}
      {{- with .of.resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts: {{- include "tightrope.mounts" . | nindent 8 }}
  volumes: {{- include "tightrope.volumes" . | nindent 4 }}
{{- end }}

{{- define "tightrope.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "tightrope.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* A pod in safe mode is ready; liveness checks only the process. The port opens when all models are loaded. */}}
{{- define "tightrope.probes" -}}
{{- $values := .root.Values }}
{{- $grpc := and $values.gateway.grpc.enabled (eq .component (include "tightrope.front" .root)) }}
ports:
  - {name: http, containerPort: {{ include "tightrope.port" .root }}}
  {{- if $grpc }}
  - {name: grpc, containerPort: {{ include "tightrope.grpcPort" .root }}}
  {{- end }}
startupProbe:
  httpGet: {path: /v2/health/live, port: http}
  timeoutSeconds: 2
  {{- toYaml $values.startup | nindent 2 }}
livenessProbe:
  httpGet: {path: /v2/health/live, port: http}
  timeoutSeconds: 2
readinessProbe:
  {{- if and $grpc $values.gateway.grpc.probe }}
  grpc: {port: {{ include "tightrope.grpcPort" .root }}}
  {{- else }}
  httpGet: {path: /v2/health/ready, port: http}
  {{- end }}
  periodSeconds: 5
  timeoutSeconds: 2
lifecycle:
  preStop: # requests keep arriving until every proxy has removed this pod
    exec: {command: [sleep, "5"]}
{{- end }}

{{- define "tightrope.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "tightrope.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "tightrope.mounts" -}}
- {name: config, mountPath: /etc/tightrope, readOnly: true}
{{- if not .once }}
- {name: models, mountPath: {{ .root.Values.models.mountPath }}, readOnly: true}
{{- end }}
- {name: state, mountPath: /var/lib/tightrope}
- {name: tmp, mountPath: /tmp}
{{- range $name := keys (include "tightrope.secrets" .root | fromYaml) | sortAlpha }}
- {name: secret-{{ $name }}, mountPath: /run/secrets/{{ $name }}, readOnly: true}
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tightrope.volumes" -}}
- name: config
  configMap: {name: {{ include "tightrope.fullname" .root }}}
{{- if not .once }}
- name: models
  {{- with .root.Values.models.volume }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  persistentVolumeClaim: {claimName: {{ .root.Values.models.existingClaim }}, readOnly: true}
  {{- end }}
{{- end }}
{{- if not .state }}
- {name: state, emptyDir: {}}
{{- end }}
- {name: tmp, emptyDir: {}}
{{- range $name, $secret := include "tightrope.secrets" .root | fromYaml }}
- name: secret-{{ $name }}
  secret: {secretName: {{ $secret }}, defaultMode: 0440}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* The mounted secrets: folder and name. */}}
{{- define "tightrope.secrets" -}}
{{- $found := deepCopy .Values.secrets.extra }}
{{- range $name := list "control" "kafka" "signing" "sampling" }}
{{- with (get $.Values.secrets $name).existingSecret }}
{{- $_ := set $found $name . }}
{{- end }}
{{- end }}
{{- toYaml $found }}
{{- end }}
