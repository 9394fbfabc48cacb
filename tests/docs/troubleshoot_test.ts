import { deepStrictEqual, ok } from "node:assert/strict";

/** The program's text, with values and joints of strings taken out. */
async function sourceText(): Promise<string> {
  const texts: string[] = [];
  const read = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await read(path);
      else if (path.endsWith(".ts")) texts.push(await Deno.readTextFile(path));
    }
  };
  await read("lib");
  return texts.join("\n").replace(/["`]\s*\+\s*["`]/g, "").replace(/\\`/g, "`");
}

/** Sentences in the first cells of tables, and those named in running text. */
function quotedIn(page: string): string[] {
  const cells = page.split("\n").filter((line) => line.startsWith("| `")).map((line) =>
    line.split(" | ")[0]!
  );
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!));
}

/** A prefix is added where the sentence is sent. */
const PREFIX = /^(?:blocked|invalid|rate-limited|error|closed|purgatory|duplicate): /;

Deno.test("every sentence of the troubleshooting page is one the program says", async () => {
  const source = await sourceText();
  const sentences = quotedIn(await Deno.readTextFile("docs/troubleshoot.md"));
  ok(sentences.length > 60, String(sentences.length));
  const unknown = sentences.filter((sentence) =>
    !source.includes(sentence) &&
    !sentence.replace(PREFIX, "").split("…").map((part) => part.trim()).filter((part) => part.length > 2)
      .every((part) => source.includes(part))
  );
  deepStrictEqual(unknown, []);
});

Deno.test("every refusal with a fixed text is on the troubleshooting page", async () => {
  const [source, page] = [await sourceText(), await Deno.readTextFile("docs/troubleshoot.md")];
  const texts = [...source.matchAll(/refuse\(\s*"[a-z-]+",\s*"[a-z_]+",\s*"([^"]+)",?\s*\)/g)].map((match) =>
    match[1]!
  );
  ok(texts.length > 20, String(texts.length));
  deepStrictEqual([...new Set(texts)].filter((text) => !page.includes(text)), []);
});
