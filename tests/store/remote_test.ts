import assert from "node:assert/strict";
import { createClient } from "@libsql/client/http";
import { openStore, type RemoteDatabase, SCHEMA_VERSION, StoredData } from "../../lib/store/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { Sqld } from "../support/sqld.ts";
import { event, filter, ids, key, LineLog, open, put, remote, withDirectory } from "./fixtures.ts";

/** Runs `work` with a fresh database server. */
function withSqld(work: (sqld: Sqld, directory: string) => Promise<void>): () => Promise<void> {
  return () =>
    withDirectory(async (_path, directory) => {
      const sqld = await Sqld.start({ directory });
      try {
        await work(sqld, directory);
      } finally {
        await sqld.kill();
      }
    });
}

/** Requests that can be lost on their way, or whose answers can. */
class Road {
  /** What happens to the requests to come, in order; then they pass. */
  readonly fates: ("pass" | "lose request" | "lose answer" | "deliver later")[] = [];
  readonly sent: string[] = [];
  #late: Request[] = [];

  readonly fetch = async (request: Request): Promise<Response> => {
    this.sent.push(await request.clone().text());
    const fate = this.fates.shift() ?? "pass";
    if (fate === "deliver later") this.#late.push(request.clone());
    if (fate === "lose request" || fate === "deliver later") throw new TypeError("connection reset");
    const response = await fetch(request);
    if (fate === "pass") return response;
    await response.body?.cancel();
    throw new TypeError("connection reset");
  };

  /** What was held up arrives; nobody waits for the answers any more. */
  async deliver(): Promise<string> {
    const answers = await Promise.all(this.#late.map(async (request) => {
      const { method, headers } = request;
      return await (await fetch(request.url, { method, headers, body: await request.text() })).text();
    }));
    this.#late = [];
    return answers.join();
  }
}

Deno.test(
  "P-85 what a database server acknowledged survives its SIGKILL, and the store goes on without being opened anew",
  withSqld(async (first, directory) => {
    const { store } = await open(first.url, { remote: remote() });
    const acknowledged: string[] = [];
    const writing = (async () => {
      for (let n = 0;; n++) {
        const each = event({ content: String(n) });
        await put(store, each);
        acknowledged.push(each.id);
      }
    })().catch((error: Error) => error);
    while (acknowledged.length < 50) await new Promise((resolve) => setTimeout(resolve, 1));
    await first.kill();
    assert.match((await writing).message, /cannot be reached/);
    await assert.rejects(store.ping(), /the database server cannot be reached/);
    const second = await Sqld.start({ directory, port: first.port });
    try {
      const found = new Set(await ids(store, filter({ limit: 5_000 })));
      assert.ok(acknowledged.every((id) => found.has(id)));
      assert.deepEqual(await put(store, event({ content: "after" })), ["stored"]);
      await store.close();
    } finally {
      await second.kill();
    }
  }),
);

Deno.test(
  "a commit whose answer is lost is found to have happened, one whose request is lost is made once more",
  withSqld(async (sqld) => {
    const road = new Road();
    const { store } = await open(sqld.url, { remote: remote({ fetch: road.fetch }) });
    const told: string[] = [];
    store.watch(({ insertEvents }) => told.push(...insertEvents!.map(({ event }) => event.content)));
    road.fates.push("pass", "lose answer");
    assert.deepEqual(await put(store, event({ content: "a" })), ["stored"]);
    road.fates.push("pass", "lose request");
    assert.deepEqual(await put(store, event({ content: "b" })), ["stored"]);
    assert.deepEqual(told, ["a", "b"]);
    assert.equal(await store.count([filter()]), 2);
    await store.close();
  }),
);

Deno.test(
  "a transaction that arrives after it was given up changes nothing",
  withSqld(async (sqld) => {
    const road = new Road();
    const { store } = await open(sqld.url, { remote: remote({ fetch: road.fetch }) });
    const state = (n: number) => event({ kind: 30618, tags: [["d", "x"]], created_at: 1_700_000_000 + n });
    road.fates.push("pass", "deliver later");
    assert.deepEqual(await put(store, state(1)), ["stored"]);
    assert.deepEqual(await put(store, state(2)), ["stored"]);
    assert.match(await road.deliver(), /NOT NULL constraint failed/);
    assert.deepEqual(await ids(store, filter()), [state(2).id]);
    await store.close();
  }),
);

Deno.test(
  "while nobody knows whether a commit happened it is refused saying so, and listeners are told if it did",
  withSqld(async (sqld) => {
    const road = new Road();
    const { store } = await open(sqld.url, { remote: remote({ fetch: road.fetch }) });
    const told: string[] = [];
    store.watch(({ insertEvents }, verdicts) =>
      insertEvents!.forEach(({ event }, n) => verdicts[n] === "stored" && told.push(event.content))
    );
    road.fates.push("pass", "lose answer", "lose request", "lose request");
    await assert.rejects(
      put(store, event({ content: "a" })),
      /cannot be reached: connection reset; whether the change was stored is not known yet/,
    );
    assert.deepEqual(told, []);
    assert.deepEqual(await put(store, event({ content: "b" })), ["stored"]);
    assert.deepEqual(told, ["a", "b"]);
    assert.deepEqual(await put(store, event({ content: "a" })), ["duplicate"]);

    road.fates.push("pass", "lose request", "lose request", "lose request");
    await assert.rejects(put(store, event({ content: "c" })), /not known yet/);
    assert.deepEqual(await put(store, event({ content: "c" })), ["stored"]);
    assert.deepEqual(told, ["a", "b", "c"]);
    await store.close();
  }),
);

Deno.test(
  "a second server is refused while the first holds the database; the same one after a crash is not, and ends the first for good",
  withSqld(async (sqld) => {
    const first = remote();
    const { store, log } = await open(sqld.url, { remote: first });
    await put(store, event({ content: "first" }));
    await assert.rejects(open(sqld.url, { remote: remote() }), {
      message: /^cannot open database at http:\S+: another server uses it, and has it for \d+ s/,
    });
    const again = await open(sqld.url, { remote: remote({ instance: first.instance }) });
    await assert.rejects(
      put(store, event({ content: "late" })),
      /another server has taken over the database/,
    );
    await assert.rejects(store.ping(), /another server has taken over/);
    assert.equal(log.lines.filter((line) => line.includes("has taken over")).length, 2);
    await store.close();
    assert.deepEqual(await put(again.store, event({ content: "second" })), ["stored"]);
    assert.equal(await again.store.count([filter()]), 2);
    await again.store.close();
    const other = await open(sqld.url, { remote: remote() });
    await other.store.close();
  }),
);

Deno.test(
  "a lease that has ended is free for others, and still its holder's until one takes it",
  withSqld(async (sqld) => {
    const { store } = await open(sqld.url, { remote: remote() });
    const client = createClient({ url: sqld.url });
    await client.execute("UPDATE database_lease SET until = unixepoch() - 1");
    assert.deepEqual(await put(store, event()), ["stored"]);
    await assert.rejects(open(sqld.url, { remote: remote() }), /another server uses it/);
    await client.execute("UPDATE database_lease SET until = unixepoch() - 1");
    const other = await open(sqld.url, { remote: remote() });
    await assert.rejects(put(store, event({ content: "late" })), /taken over/);
    await other.store.close();
    await store.close();
    client.close();
  }),
);

Deno.test(
  "a server that does not answer is given up after the time for one request",
  withSqld(async (sqld) => {
    const silent: RemoteDatabase["fetch"] = (request) =>
      new Promise((_, reject) =>
        request.signal.addEventListener("abort", () => reject(new Error("aborted")))
      );
    let hangs = false;
    const { store } = await open(sqld.url, {
      remote: remote({ fetch: (request) => hangs ? silent(request) : fetch(request) }),
      clock: systemClock,
      internals: { remoteTimeoutMs: 50 },
    });
    hangs = true;
    // More than may be under way: the time of those that wait for their turn counts too.
    const reads = Array.from({ length: 40 }, () => store.has(key(1)));
    for (const { reason } of (await Promise.allSettled(reads)) as PromiseRejectedResult[]) {
      assert.match(String(reason), /the database server did not answer within 0.05 s/);
    }
    await assert.rejects(put(store, event()), /did not answer/);
    hangs = false;
    assert.deepEqual(await put(store, event()), ["stored"]);
    await store.close();
  }),
);

Deno.test(
  "answers that are too large for one come in several, in order",
  withSqld(async (sqld) => {
    const { store } = await open(sqld.url, { remote: remote() });
    const times = { firstEnteredAt: 1, enteredAt: 1, deadlineAt: 1 };
    const content = "x".repeat(1_000_000);
    for (let n = 0; n < 24; n++) {
      const state = event({ kind: 30618, tags: [["d", "x"], ["n", String(n)]], content });
      await store.commit({
        putStates: [{
          event: state,
          author: key(1),
          identifier: "x",
          source: "direct",
          ...times,
          deadlineAt: n,
        }],
      });
    }
    const { states } = await store.overdue(1_000, 500);
    assert.deepEqual(states.map(({ deadlineAt }) => deadlineAt), Array.from({ length: 24 }, (_, n) => n));
    assert.equal((await store.readIdentifier("x")).waitingStates.length, 24);
    for (let n = 0; n < 12; n++) await put(store, event({ created_at: n, content }));
    const data = await StoredData.open({ location: sqld.url, clock: systemClock, log: new LineLog() });
    const exported = (await Array.fromAsync(data.texts({}))).flat().map((text) =>
      JSON.parse(text).created_at
    );
    assert.deepEqual(exported, Array.from({ length: 12 }, (_, n) => n));
    data.close();
    await store.close();
  }),
);

Deno.test(
  "C-25 a database server with a schema of a later release is refused, not changed",
  withSqld(async (sqld) => {
    const client = createClient({ url: sqld.url });
    await client.execute("PRAGMA user_version = 7");
    await assert.rejects(open(sqld.url, { remote: remote() }), {
      message: `database schema 7 is newer than this program knows (${SCHEMA_VERSION})`,
    });
    assert.equal((await client.execute("SELECT count(*) FROM sqlite_schema")).rows[0]?.[0], 0);
    client.close();
  }),
);

Deno.test("a database server that is away, or leads elsewhere, is an error with its URL", async () => {
  await assert.rejects(open("http://127.0.0.1:1", { remote: remote() }), {
    message: /^cannot open database at http:\/\/127.0.0.1:1: the database server cannot be reached: /,
  });
  const answer = (status: number, headers = {}) =>
    remote({ fetch: () => Promise.resolve(new Response("", { status, headers })) });
  await assert.rejects(
    open("https://db.example", { remote: answer(302, { location: "https://other.example" }) }),
    /answered with HTTP status 302/,
  );
  await assert.rejects(open("libsql://db.example", { remote: answer(503) }), /answered with HTTP status 503/);
});

Deno.test("a refused token is reported without being shown, a good one is used", () =>
  withDirectory(async (_path, directory) => {
    const { authKey, token } = await newTokens();
    const sqld = await Sqld.start({ directory, authKey });
    try {
      for (const authToken of [undefined, "secretsecret", await token({ a: "ro" })]) {
        await assert.rejects(open(sqld.url, { remote: remote({ authToken }) }), (error: Error) => {
          assert.match(
            error.message,
            /refuses us \(HTTP 40[13]\): NGIT_DATABASE_AUTH_TOKEN has to be a token/,
          );
          assert.ok(authToken === undefined || !Deno.inspect(error, { depth: 9 }).includes(authToken));
          return true;
        });
      }
      const { store, log } = await open(sqld.url, { remote: remote({ authToken: await token({}) }) });
      assert.deepEqual(await put(store, event()), ["stored"]);
      assert.ok(!log.lines.join().includes(await token({})));
      await store.close();
    } finally {
      await sqld.kill();
    }
  }));

Deno.test(
  "a query is one round trip, a commit two, everything about an identifier one",
  withSqld(async (sqld) => {
    const road = new Road();
    const { store } = await open(sqld.url, { remote: remote({ fetch: road.fetch }) });
    const trips = async (work: () => Promise<unknown>) => {
      const before = road.sent.length;
      await work();
      return road.sent.length - before;
    };
    const state = event({ kind: 30618, tags: [["d", "x"]] });
    const filters = Array.from({ length: 8 }, (_, kind) => filter({ kinds: [kind] }));
    assert.deepEqual({
      commit: await trips(() => put(store, state)),
      group: await trips(() => Promise.all([1, 2, 3].map((n) => put(store, event({ created_at: n }))))),
      dirty: await trips(() => store.commit({ putDirty: [{ owner: key(1), identifier: "x", since: 1 }] })),
      query: await trips(() => store.query([filter({ kinds: [30618] })])),
      filters: await trips(() => store.query(filters)),
      count: await trips(() => store.count(filters)),
      get: await trips(() => store.get([state.id])),
      identifier: await trips(() => store.readIdentifier("x")),
      start: await trips(() => store.pendingAtStart()),
      ping: await trips(() => store.ping()),
      arrival: await trips(() => store.standing(state)),
      related: await trips(() =>
        store.isRelated(event({ tags: [["a", `30618:${key(2)}:y`], ["e", key(3)]] }))
      ),
    }, {
      commit: 2,
      group: 2,
      dirty: 1,
      query: 1,
      filters: 2,
      count: 1,
      get: 1,
      identifier: 1,
      start: 1,
      ping: 1,
      arrival: 1,
      related: 1,
    });
    await store.close();
  }),
);

Deno.test("a store that nobody told how to reach its server says so", async () => {
  const limits = { defaultFilterLimit: 1, maxFilterLimit: 1 };
  await assert.rejects(
    openStore({
      location: "libsql://db.example",
      backend: "libsql",
      clock: systemClock,
      limits,
      log: new LineLog(),
    }),
    /nobody said how to reach/,
  );
});

/** A key as a database server takes it, and tokens (JWT) signed with its secret half. */
async function newTokens() {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as CryptoKeyPair;
  const text = (bytes: ArrayBuffer | Uint8Array) =>
    new Uint8Array(bytes).toBase64({ alphabet: "base64url", omitPadding: true });
  const part = (value: unknown) => text(new TextEncoder().encode(JSON.stringify(value)));
  return {
    authKey: text(await crypto.subtle.exportKey("raw", pair.publicKey)),
    token: async (claims: object) => {
      const body = `${part({ alg: "EdDSA", typ: "JWT" })}.${part(claims)}`;
      const signature = await crypto.subtle.sign("Ed25519", pair.privateKey, new TextEncoder().encode(body));
      return `${body}.${text(signature)}`;
    },
  };
}
