/** `deno task conformance`: writes docs/conformance.md from the names of the tests. */
import { resolve } from "node:path";
import { readClaims, renderPage } from "./page.ts";

const root = resolve(import.meta.dirname!, "../..");
const claims = await readClaims(root);
await Deno.writeTextFile(`${root}/docs/conformance.md`, renderPage(claims));
console.log(`docs/conformance.md: ${new Set(claims.map(({ id }) => id)).size} criteria`);
