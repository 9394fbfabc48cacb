import assert from "node:assert/strict";
import { silentLog } from "../support/silent_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { Deadline } from "../../lib/outgoing/deadline.ts";
import { HostGuard, type HostGuardOptions } from "../../lib/outgoing/host_guard.ts";
import { systemResolve } from "../../lib/outgoing/system_resolver.ts";
import { dialing, getting, testNetwork, withAnswer, withTcp } from "./support.ts";

function setup(options: Partial<HostGuardOptions> = {}) {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const answers = new Map<string, readonly string[]>();
  const guard = new HostGuard({
    allowPrivate: false,
    ownAddresses: [],
    clock,
    log: silentLog,
    resolve: (host) => {
      asked.push(host);
      const found = answers.get(host);
      return found ? Promise.resolve(found) : Promise.reject(new Error(`getaddrinfo ENOTFOUND ${host}`));
    },
    ...options,
  });
  const check = async (url: string, trusted = false) => {
    const deadline = new Deadline(clock, 5_000, new AbortController().signal);
    const result = await guard.check(url, trusted, deadline);
    deadline.end();
    return result.ok ? result.addresses.join(" ") : result.fault;
  };
  return { clock, asked, answers, guard, check };
}

Deno.test("S-24 P-78 one private address among the answers blocks the host", async () => {
  const { answers, check } = setup();
  answers.set("good.example", ["93.184.215.14", "2606:2800:21f::1"]);
  answers.set("mixed.example", ["93.184.215.14", "10.0.0.1"]);
  answers.set("mapped.example", ["::ffff:127.0.0.1"]);
  assert.equal(await check("https://good.example/x.git"), "93.184.215.14 2606:2800:21f::1");
  assert.equal(await check("https://mixed.example/x.git"), "blocked");
  assert.equal(await check("wss://mapped.example"), "blocked");
});

Deno.test("S-24 a blocked host is not asked for during one hour, and looked at again afterwards", async () => {
  const { answers, asked, clock, check } = setup();
  answers.set("moved.example", ["192.168.1.1"]);
  assert.equal(await check("https://moved.example/"), "blocked");
  answers.set("moved.example", ["93.184.215.14"]);
  assert.equal(await check("wss://MOVED.example.:8443/"), "blocked");
  await clock.advance(3_599_999);
  clock.jump(10_000_000);
  assert.equal(await check("https://moved.example/"), "blocked");
  assert.equal(asked.length, 1);
  await clock.advance(1);
  assert.equal(await check("https://moved.example/"), "93.184.215.14");
});

Deno.test("S-24 literal addresses are decided without asking anybody, and addresses of this machine are refused", async () => {
  const { asked, answers, check } = setup({
    ownAddresses: ["93.184.215.14", "2606:2800:21f:0::1", "nonsense"],
  });
  answers.set("self.example", ["93.184.215.14"]);
  for (const host of ["10.0.0.1", "[::1]", "93.184.215.14", "[2606:2800:21f::1]", "127.1", "localhost"]) {
    assert.equal(await check(`https://${host}/`), "blocked", host);
  }
  assert.equal(await check("https://[2606:2800:21f::2]:8443/"), "2606:2800:21f::2");
  assert.equal(asked.length, 0);
  assert.equal(await check("https://self.example/"), "blocked");
});

Deno.test("S-24 a trusted host and an intranet setting lift the rules on names and addresses, not on ports and schemes", async () => {
  for (const [trusted, allowPrivate] of [[true, false], [false, true]] as const) {
    const { answers, check } = setup({ allowPrivate });
    answers.set("intranet", ["10.0.0.1"]);
    assert.equal(await check("http://intranet:8080/", trusted), "10.0.0.1");
    assert.equal(await check("http://[::1]/", trusted), "::1");
    assert.equal(await check("http://intranet:22/", trusted), "blocked");
    assert.equal(await check("ssh://intranet/", trusted), "blocked");
    assert.equal(await check("http://a..b/", trusted), "dns");
  }
});

Deno.test("a trusted host neither reads nor writes the memory of blocked hosts", async () => {
  const { answers, check } = setup();
  answers.set("both.example", ["10.0.0.1"]);
  assert.equal(await check("wss://both.example", true), "10.0.0.1");
  assert.equal(await check("wss://both.example"), "blocked");
  assert.equal(await check("wss://both.example", true), "10.0.0.1");
});

Deno.test("names that do not exist, have no address or too many are DNS faults", async () => {
  const { answers, check } = setup();
  answers.set("empty.example", []);
  answers.set("odd.example", ["not an address"]);
  answers.set("many.example", Array.from({ length: 65 }, (_, n) => `93.184.1.${n}`));
  for (const host of ["missing", "empty", "odd", "many"]) {
    assert.equal(await check(`https://${host}.example/`), "dns", host);
  }
});

Deno.test("at most 64 names are asked for at once; who waits too long asks nobody", async () => {
  const clock = new VirtualClock();
  const pending: { readonly host: string; readonly answer: () => void }[] = [];
  const { guard } = setup({
    clock,
    resolve: (host) =>
      new Promise((resolve) => pending.push({ host, answer: () => resolve(["93.184.215.14"]) })),
  });
  const ask = (n: number, ms: number) =>
    guard.check(`https://h${n}.example/`, false, new Deadline(clock, ms, new AbortController().signal));
  const first = Array.from({ length: 64 }, (_, n) => ask(n, 10_000));
  const [late, patient] = [ask(64, 1_000), ask(65, 10_000)];
  await clock.advance(1_000);
  const result = await late;
  assert.equal(!result.ok && result.fault, "timeout");
  assert.equal(pending.length, 64);
  for (const { answer } of pending.splice(0)) answer();
  await Promise.all(first);
  await clock.advance(0);
  assert.deepEqual(pending.map(({ host }) => host), ["h65.example"]);
  pending[0]!.answer();
  assert.ok((await patient).ok);
});

Deno.test("P-78 a connection goes to the address that was checked, whatever a second DNS answer would be", async () => {
  let answers = 0;
  const { network } = testNetwork({
    resolve: () => Promise.resolve([answers++ === 0 ? "127.0.0.1" : "192.0.2.1"]),
  });
  await withAnswer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", async (port) => {
    const answer = await network.get(getting(`http://rebind.example:${port}/`));
    assert.ok(answer.ok);
  });
  assert.equal(answers, 1);
});

Deno.test("P-78 S-24 private targets cause no connection, by whatever way they are named", async () => {
  const { network, log } = testNetwork({
    allowPrivate: false,
    resolve: () => Promise.resolve(["127.0.0.1"]),
  });
  let connections = 0;
  await withTcp(() => connections++, async (port) => {
    const limits = { signal: new AbortController().signal, timeoutMs: 1_000 };
    for (
      const host of ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "2130706433", "inner.example"]
    ) {
      const results = [
        await network.get(getting(`http://${host}:${port}/`)),
        await network.dial(dialing(`ws://${host}:${port}/`)),
        await network.pin(`http://${host}:${port}/x.git`, limits),
      ];
      for (const result of results) {
        assert.ok(!result.ok && result.fault === "blocked", host);
        assert.ok(!result.text.includes("127.0.0.1"), "the address is for the debug log only");
      }
    }
  });
  assert.equal(connections, 0);
  assert.ok(log.records.every(({ level }) => level === "debug"));
});

Deno.test("a pin names host, port and the checked addresses", async () => {
  const { network } = testNetwork({
    allowPrivate: false,
    resolve: () => Promise.resolve(["1.1.1.1", "1.1.1.1", "2606:4700::1"]),
  });
  const limits = { signal: new AbortController().signal, timeoutMs: 1_000 };
  assert.deepEqual(await network.pin("https://Git.Example/x.git", limits), {
    ok: true,
    host: "git.example",
    port: 443,
    addresses: ["1.1.1.1", "2606:4700::1"],
  });
  assert.deepEqual(await network.pin("http://[2606:4700::1]:8080/x.git", limits), {
    ok: true,
    host: "2606:4700::1",
    port: 8080,
    addresses: ["2606:4700::1"],
  });
});

Deno.test("names are resolved by the operating system, hosts file included", async () => {
  assert.ok((await systemResolve("localhost")).includes("127.0.0.1"));
});
