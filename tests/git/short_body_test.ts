import assert from "node:assert/strict";
import { ALL_REFS, latin1, lsRefs, said, warm } from "./discovery.ts";
import { inRepository, writeMaterial } from "./random_repository.ts";
import { type Service, withService } from "./service.ts";

const BODY_IDLE_MS = 60_000;
const { lsRefs: LISTING } = lsRefs("peel", "symrefs", "unborn");

/** A service in virtual time whose refs are in memory. */
function withListing(play: (service: Service, expected: string) => Promise<void>): Promise<void> {
  return withService(async (service) => {
    await service.create("x");
    const path = service.repositories.path(service.ref("x"));
    const { commits } = await writeMaterial(service.git, path);
    await inRepository(service.git, path, ["update-ref", "refs/heads/master", commits[0]!]);
    await warm(service);
    await play(service, await said(service, ALL_REFS, path));
  }, { virtualTime: true });
}

/** One connection to the service. */
class Client implements Disposable {
  readonly #socket: Deno.Conn;
  readonly #service: Service;

  private constructor(socket: Deno.Conn, service: Service) {
    this.#socket = socket;
    this.#service = service;
  }

  /** Connects and sends the head of a request. */
  static async open(service: Service, ...headers: readonly string[]): Promise<Client> {
    const client = new Client(await Deno.connect({ hostname: "127.0.0.1", port: service.port }), service);
    await client.ask(...headers);
    return client;
  }

  /** Sends the head of a request for a listing. */
  async ask(...headers: readonly string[]): Promise<void> {
    const path = new URL(this.#service.url("x")).pathname;
    const lines = [`POST ${path}/git-upload-pack HTTP/1.1`, "Host: x", "Git-Protocol: version=2", ...headers];
    await this.send(new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n"));
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#socket.write(rest));
  }

  /** Everything received until `isEnough`, or to the end of the connection. */
  async receive(isEnough: (text: string) => boolean): Promise<string> {
    const buffer = new Uint8Array(1 << 16);
    let text = "";
    while (!isEnough(text)) {
      const count = await this.#socket.read(buffer);
      if (count === null) break;
      text += latin1(buffer.subarray(0, count));
    }
    return text;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** Resolves once `count` requests have reached the service and were looked at. */
async function arrived(service: Service, count: number): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (service.requests.length < count) {
    assert.ok(performance.now() < deadline, `${service.requests.length} requests of ${count}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
}

Deno.test("G-69 a short body may come later than its head, and in pieces", () =>
  withListing(async (service, expected) => {
    const before = service.received();
    const declared = `Content-Length: ${LISTING.length}`;
    using client = await Client.open(service, declared);
    for (let round = 1; round <= 3; round++) {
      if (round > 1) await client.ask(declared);
      await arrived(service, round);
      await client.send(LISTING.subarray(0, 30));
      await service.clock.advance(BODY_IDLE_MS / 2);
      await client.send(LISTING.subarray(30));
      assert.match(await client.receive((text) => text.endsWith(expected)), /^HTTP\/1.1 200 /);
    }
    assert.equal(service.received() - before, 3 * LISTING.length);
  }));

Deno.test("G-69 short bodies that do not arrive are given up, each in its time", () =>
  withListing(async (service, expected) => {
    const declared = `Content-Length: ${LISTING.length}`;
    const before = service.requests.length;
    using first = await Client.open(service, declared);
    await first.send(LISTING.subarray(0, 10));
    await arrived(service, before + 1);
    await service.clock.advance(BODY_IDLE_MS - 10_000);
    using second = await Client.open(service, declared);
    using prompt = await Client.open(service, declared);
    await arrived(service, before + 3);
    await prompt.send(LISTING);
    await prompt.receive((text) => text.endsWith(expected));
    await service.clock.advance(9_000);
    let isAnswered = false;
    const late = first.receive((text) => text.includes("stalled")).finally(() => isAnswered = true);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.ok(!isAnswered);
    await service.clock.advance(1_000);
    assert.match(await late, /^HTTP\/1.1 408 [^]*Git error: request body stalled\n$/);
    await service.clock.advance(BODY_IDLE_MS - 10_000);
    assert.match(await second.receive((text) => text.includes("stalled")), /^HTTP\/1.1 408 /);
    // Nothing of them is left: the next one gets as long.
    using third = await Client.open(service, declared);
    await arrived(service, before + 4);
    await service.clock.advance(BODY_IDLE_MS);
    assert.match(await third.receive((text) => text.includes("stalled")), /^HTTP\/1.1 408 /);
  }));

Deno.test("G-69 a client that leaves in the middle of a short body ends its request", () =>
  withListing(async (service, expected) => {
    const before = service.requests.length;
    {
      using client = await Client.open(service, `Content-Length: ${LISTING.length}`);
      await client.send(LISTING.subarray(0, 10));
      await arrived(service, before + 1);
    }
    using client = await Client.open(service, `Content-Length: ${LISTING.length}`);
    await client.send(LISTING);
    assert.ok((await client.receive((text) => text.endsWith(expected))).endsWith(expected));
  }));

Deno.test("G-69 a body declared too large is refused at once, and one of a declared length that comes in chunks is read", () =>
  withListing(async (service, expected) => {
    using large = await Client.open(service, `Content-Length: ${40 << 20}`);
    assert.match(await large.receive((text) => text.includes("too large")), /^HTTP\/1.1 413 /);
    using chunked = await Client.open(service, "Transfer-Encoding: chunked");
    const [head, tail] = [`${LISTING.length.toString(16)}\r\n`, "\r\n0\r\n\r\n"];
    await chunked.send(new TextEncoder().encode(head));
    await chunked.send(LISTING);
    await chunked.send(new TextEncoder().encode(tail));
    assert.ok((await chunked.receive((text) => text.endsWith(expected))).endsWith(expected));
    using empty = await Client.open(service, "Content-Length: 0");
    assert.match(await empty.receive((text) => text.includes("empty")), /^HTTP\/1.1 400 /);
  }));
