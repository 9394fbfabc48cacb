import { git } from "../support/git_client.ts";

/** Commits in the shared source repository, oldest first, each with the one before as parent. */
export const COMMITS = 80;
const MAX_BLOB_BYTES = 60_000;

/** Makes one repository that all clients push from; returns the ids of its commits. */
export async function makeSource(directory: string): Promise<readonly string[]> {
  await Deno.mkdir(directory, { recursive: true });
  await git(directory, "init", "-q", "--bare");
  const child = new Deno.Command("git", {
    args: ["fast-import", "--quiet"],
    cwd: directory,
    stdin: "piped",
    stdout: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  for (let n = 0; n < COMMITS; n++) await writer.write(commit(n));
  await writer.close();
  const { success } = await child.status;
  if (!success) throw new Error("git fast-import failed");
  return (await git(directory, "rev-list", "--reverse", "refs/heads/source")).split("\n");
}

/** One commit that adds a file of random bytes, so that packs take a while to arrive. */
function commit(n: number): Uint8Array<ArrayBuffer> {
  const blob = crypto.getRandomValues(new Uint8Array(1 + Math.floor(MAX_BLOB_BYTES * ((n * 7) % 10) / 10)));
  const time = 1_600_000_000 + n;
  const message = `commit ${n}`;
  const head = `commit refs/heads/source\ncommitter Alice <alice@example.com> ${time} +0000\n` +
    `data ${message.length}\n${message}\nM 100644 inline file-${n}\ndata ${blob.length}\n`;
  const [before, after] = [head, "\n"].map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(before!.length + blob.length + after!.length);
  bytes.set(before!);
  bytes.set(blob, before!.length);
  bytes.set(after!, before!.length + blob.length);
  return bytes;
}
