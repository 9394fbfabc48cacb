import { tmpdir } from "node:os";
import { initNostrWasm } from "nostr-wasm";
import type { NostrEvent } from "../lib/nostr/mod.ts";

const AUTHORS = 50;
const TEXT = "The build fails on a clean checkout when the cache directory does not exist yet. ".repeat(5);
/** One issue and 99 comments on it and on the repository. */
const PER_ISSUE = 100;

/**
 * `count` events about the repository `coordinate`, about 900 bytes each, of different seconds and oldest
 * first: every hundredth is an issue, the others comment on the last issue or on the repository.
 */
export async function signDiscussion(
  coordinate: string,
  count: number,
  firstSecond: number,
): Promise<NostrEvent[]> {
  const wasm = await initNostrWasm();
  const keys = Array.from({ length: AUTHORS }, () => wasm.generateSecretKey());
  const events: NostrEvent[] = [];
  let issue = "";
  for (let index = 0; index < count; index++) {
    const isIssue = index % PER_ISSUE === 0;
    const event = {
      kind: isIssue ? 1621 : 1111,
      created_at: firstSecond + index,
      tags: isIssue
        ? [["a", coordinate]]
        : index % 2 === 1
        ? [["E", issue], ["K", "1621"]]
        : [["A", coordinate]],
      content: `${index}: ${TEXT}`,
      id: "",
      pubkey: "",
      sig: "",
    };
    wasm.finalizeEvent(event, keys[index % AUTHORS]!);
    if (isIssue) issue = event.id;
    events.push(event);
  }
  return events;
}

/** {@link signDiscussion}, kept in the system's temporary directory: signing is slow and the same every time. */
export async function cachedDiscussion(coordinate: string, count: number): Promise<NostrEvent[]> {
  const file = `${tmpdir()}/ngit-grasp-bench-events-${coordinate.slice(6, 22)}-${count}.jsonl`;
  const text = await Deno.readTextFile(file).catch(() => "");
  if (text) return text.trimEnd().split("\n").map((line) => JSON.parse(line) as NostrEvent);
  const events = await signDiscussion(coordinate, count, Math.floor(Date.now() / 1000) - 2 * count);
  await Deno.writeTextFile(`${file}.new`, events.map((event) => JSON.stringify(event) + "\n").join(""));
  await Deno.rename(`${file}.new`, file);
  return events;
}
