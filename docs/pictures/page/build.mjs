// Bundles the page, with the icons and the font where Grafana's components look for them: `node build.mjs FOLDER`.
import { build } from 'esbuild';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
await build({
  entryPoints: ['main.jsx'],
  outfile: join(folder, 'page.js'),
  bundle: true,
  minify: true,
  format: 'iife',
  jsx: 'automatic',
  target: 'es2022',
  logLevel: 'warning',
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
  loader: { '.ttf': 'empty' },
});
await cp('node_modules/@grafana/ui/dist/public/img', join(folder, 'public/build/img'), { recursive: true });
for (const [weight, name] of [[400, 'Regular'], [500, 'Medium']]) {
  const font = `node_modules/@fontsource/inter/files/inter-latin-${weight}-normal.woff2`;
  await cp(font, join(folder, `public/fonts/inter/Inter-${name}.woff2`));
}
