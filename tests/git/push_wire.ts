import assert from "node:assert/strict";
import { encodePkt, flushPkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import { commitFile, newWorkTree } from "../support/git_client.ts";
import { eventually } from "../support/temp.ts";
import { type Service } from "./service.ts";

const CAPABILITIES = "report-status side-band-64k";
export const NO_STATE = "authorisation failed: No state events in purgatory";

export async function workTree(service: Service, ...files: string[]): Promise<string> {
  return await newWorkTree(
    `${service.directory}/tree-${crypto.randomUUID()}`,
    files.length > 0 ? files : ["one"],
  );
}

export function randomBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset < size; offset += 1 << 16) {
    crypto.getRandomValues(bytes.subarray(offset, offset + (1 << 16)));
  }
  return bytes;
}

export function post(url: string, body: Uint8Array | ReadableStream<Uint8Array>): Promise<Response> {
  return fetch(`${url}/git-receive-pack`, { method: "POST", body: body as BodyInit });
}

export function commands(...lines: string[]): Uint8Array {
  return joinBytes([
    ...lines.map((line, index) => encodePkt(line + (index === 0 ? `\0 ${CAPABILITIES}` : ""))),
    flushPkt(),
  ]);
}

/** The reports inside an answer, outer framing removed. */
export async function reportOf(response: Response): Promise<string> {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/x-git-receive-pack-result");
  const answer = await response.text();
  let report = "";
  for (let offset = 0; offset < answer.length;) {
    const length = parseInt(answer.slice(offset, offset + 4), 16);
    if (answer[offset + 4] === "\x01") report += answer.slice(offset + 5, offset + length);
    offset += Math.max(length, 4);
  }
  return report;
}

export async function leftovers(service: Service, identifier = "x"): Promise<string[]> {
  const names: string[] = [];
  const path = service.repositories.path(service.ref(identifier));
  for (const folder of ["objects", "objects/pack"]) {
    try {
      for await (const { name } of Deno.readDir(`${path}/${folder}`)) {
        if (/tmp_|incoming/.test(name)) names.push(name);
      }
    } catch {
      // The folder does not exist yet.
    }
  }
  return names;
}

export async function assertQuiet(service: Service): Promise<void> {
  await eventually(
    "all children are gone",
    () => service.git.running === 0 && service.http.load().active === 0,
  );
  await eventually("nobody uses the repository", () => service.repositories.uses(service.ref("x")) === 0);
  assert.deepEqual(await leftovers(service), []);
}

/** Starts a push of a 20 MiB pack by hand and stops after `share` of it. */
export async function partialPush(
  service: Service,
  share: number,
): Promise<{ connection: Deno.Conn; sent: number; rest: Uint8Array; tip: string }> {
  const url = await service.create("x");
  const tree = await workTree(service);
  const tip = await commitFile(tree, "big", randomBytes(20 << 20));
  await Deno.writeTextFile(`${tree}/.git/tip`, `${tip}\n`);
  const pack = await new Deno.Command("sh", {
    args: ["-c", "git -c core.compression=0 pack-objects --revs --stdout -q < .git/tip"],
    cwd: tree,
  }).output();
  const body = joinBytes([commands(`${ZERO_OID} ${tip} refs/heads/main`), new Uint8Array(pack.stdout)]);
  const connection = await Deno.connect({ port: service.port });
  const head = `POST ${
    new URL(url).pathname
  }/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
  const cut = Math.floor(body.length * share);
  await writeAll(connection, joinBytes([new TextEncoder().encode(head), body.subarray(0, cut)]));
  return { connection, sent: cut, rest: body.subarray(cut), tip };
}

export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) offset += await connection.write(bytes.subarray(offset));
}

export async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid=,comm="] }).output();
  const rows = new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.trim().split(/\s+/));
  const git = rows.filter(([, parent, name]) => Number(parent) === pid && name === "git").map(([id]) =>
    Number(id)
  );
  return [...git, ...rows.filter(([, parent]) => git.includes(Number(parent))).map(([id]) => Number(id))];
}
