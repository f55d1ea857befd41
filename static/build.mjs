// Turns static/src and the pinned packages of package-lock.json into static/dist.
// Run: node static/build.mjs   (add --check-icons to verify the icon list and write nothing)
import { build } from "esbuild";
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const src = join(here, "src");
const dist = join(here, "dist");
const modules = join(root, "node_modules");

/** One <symbol> from a whole SVG file: its inner shapes, without the invisible frame Tabler adds. */
function symbol(name, svg, file) {
  const viewBox = /viewBox="([^"]+)"/.exec(svg)?.[1];
  const inner = /<svg[^>]*>([\s\S]*)<\/svg>/.exec(svg)?.[1];
  if (!viewBox || !inner) throw new Error(`${file} is not an SVG with a viewBox`);
  const shapes = inner
    .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*\/>/g, "")
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/\s*\n\s*/g, " ")
    .replace(/\s+\/>/g, "/>")
    .trim();
  return `<symbol id="${name}" viewBox="${viewBox}">${shapes}</symbol>`;
}

/** The sprite holds only what icons.json names, plus the shapes drawn here. */
async function sprite() {
  const list = JSON.parse(await readFile(join(src, "icons.json"), "utf8"));
  const parts = [];
  for (const [name, source] of Object.entries(list).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const file = source.startsWith("./")
      ? join(src, source)
      : join(modules, "@tabler/icons/icons", source.includes("/") ? source : `outline/${source}`) + ".svg";
    try {
      parts.push(symbol(name, await readFile(file, "utf8"), file));
    } catch (error) {
      throw new Error(`icon "${name}": ${error.message}`);
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg">${parts.join("")}</svg>\n`;
}

const icons = await sprite();
if (process.argv.includes("--check-icons")) process.exit(0);

await rm(dist, { recursive: true, force: true });
await mkdir(join(dist, "fonts"), { recursive: true });
await writeFile(join(dist, "icons.svg"), icons);

// Two subsets: the browser fetches latin-ext only where a page has such a letter. Chinese comes from the system.
for (const subset of ["latin", "latin-ext"]) {
  await copyFile(
    join(modules, `@fontsource-variable/inter/files/inter-${subset}-wght-normal.woff2`),
    join(dist, "fonts", `inter-${subset}.woff2`),
  );
}
for (const name of await readdir(join(src, "images"))) await copyFile(join(src, "images", name), join(dist, name));

const shared = {
  bundle: true,
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  target: ["chrome123", "firefox121", "safari17.5"],
};
await build({ ...shared, entryPoints: [join(src, "css/app.css")], outfile: join(dist, "app.css"), external: ["*.woff2"] });
await build({
  ...shared,
  entryPoints: [join(src, "js/app.js")],
  outdir: dist,
  format: "esm",
  splitting: true,
  chunkNames: "chunk-[name]-[hash]",
});
