import { join } from "node:path/posix";

/** One test that claims a criterion. */
export interface Claim {
  /** Letters of the chapter, a dash, a number. */
  readonly id: string;
  /** The name of the test without its ids. */
  readonly sentence: string;
  /** Path from the root of the repository. */
  readonly file: string;
}

/** Chapters in reading order, by the letters of their criteria. */
const CHAPTERS = [
  ["R", "Relay"],
  ["G", "Git over HTTP"],
  ["P", "Purgatory"],
  ["S", "Sync between relays"],
  ["X", "Contributors' pull requests (GRASP-06)"],
  ["N", "Newer protocol texts"],
  ["H", "HTTP, pages and NIP-11"],
  ["C", "Configuration"],
  ["M", "Metrics and operation"],
  ["IO", "Interoperability with real clients"],
] as const;

const INTRODUCTION = `# Conformance

Which test proves which criterion. Generated from the names of the tests by \`deno task conformance\`;
edit the tests, not this page. A criterion may need several tests, and a test may prove several.
Run one of them with \`deno task test --filter "/^R-7 /"\`.`;

const TEST_NAME =
  /\bDeno\.test\(\s*(?:\{\s*name:\s*)?(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`)/g;
const LEADING_IDS = /^(?:[A-Z]{1,2}-\d+ )+/;

/** The claims in the text of one test file: read, not run. */
export function claimsIn(file: string, text: string): Claim[] {
  return [...text.matchAll(TEST_NAME)].flatMap((match) => {
    const name = (match[1] ?? match[2] ?? match[3]!).replace(/\$\{[^}]*\}/g, "…").replace(/\\(.)/g, "$1");
    const ids = LEADING_IDS.exec(name)?.[0] ?? "";
    const sentence = name.slice(ids.length);
    return ids.split(" ").filter(Boolean).map((id) => ({ id, sentence, file }));
  });
}

/** The claims of every test file below `tests`, a folder in `root`. */
export async function readClaims(root: string, folder = "tests"): Promise<Claim[]> {
  const claims: Claim[] = [];
  for await (const entry of Deno.readDir(join(root, folder))) {
    const file = join(folder, entry.name);
    if (entry.isDirectory) claims.push(...await readClaims(root, file));
    else if (file.endsWith("_test.ts")) {
      claims.push(...claimsIn(file, await Deno.readTextFile(join(root, file))));
    }
  }
  return claims;
}

/** The page: one table per chapter, by number. Throws when a name uses letters of no chapter. */
export function renderPage(claims: readonly Claim[]): string {
  const known = new Set<string>(CHAPTERS.map(([letters]) => letters));
  const stray = claims.find(({ id }) => !known.has(lettersOf(id)));
  if (stray) throw new Error(`${stray.file}: ${stray.id} belongs to no chapter`);
  const chapters = CHAPTERS.flatMap(([letters, title]) => {
    const rows = claims.filter(({ id }) => lettersOf(id) === letters).sort(byNumber).map(row);
    const head = `## ${title} (${letters})\n\n| Criterion | What the test shows | Test |\n|---|---|---|`;
    return rows.length === 0 ? [] : [`${head}\n${[...new Set(rows)].join("\n")}`];
  });
  return [INTRODUCTION, ...chapters].join("\n\n") + "\n";
}

function row({ id, sentence, file }: Claim): string {
  return `| ${id} | ${sentence.replaceAll("|", "\\|")} | [${file}](../${file}) |`;
}

function byNumber(a: Claim, b: Claim): number {
  const key = ({ file, sentence }: Claim) => `${file} ${sentence}`;
  return numberOf(a.id) - numberOf(b.id) || (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
}

function lettersOf(id: string): string {
  return id.slice(0, id.indexOf("-"));
}

function numberOf(id: string): number {
  return Number(id.slice(id.indexOf("-") + 1));
}
