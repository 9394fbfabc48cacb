import assert from "node:assert/strict";
import type { GetRequest, Network } from "../../lib/world/mod.ts";
import { eventually } from "../support/temp.ts";
import { getting, testNetwork, withAnswer, withHttp, withTcp, withTls } from "./support.ts";

/** `status body url`, or the fault. */
async function got(network: Network, request: GetRequest): Promise<string> {
  const answer = await network.get(request);
  if (!answer.ok) return `${answer.fault}: ${answer.text}`;
  return `${answer.status} ${new TextDecoder().decode(answer.body)} ${answer.url}`;
}

Deno.test("a document is fetched with our headers from the host that was named", async () => {
  const { network } = testNetwork();
  const handler = async (request: Request) => {
    const { headers, url } = request;
    await request.text();
    const seen = [
      headers.get("host"),
      headers.get("user-agent"),
      headers.get("git-protocol"),
      headers.get("accept-encoding"),
    ];
    return new Response(`${new URL(url).pathname}${new URL(url).search} ${seen.join(" ")}`, {
      status: 404,
      headers: { "x-one": "1" },
    });
  };
  await withHttp(handler, async (port) => {
    const url = `http://peer.example:${port}/a/b?c=d#e`;
    const answer = await network.get({ ...getting(url), headers: { "Git-Protocol": "version=2" } });
    if (!answer.ok) assert.fail(answer.text);
    assert.equal(answer.status, 404);
    assert.equal(answer.headers.get("x-one"), "1");
    assert.equal(answer.url, `http://peer.example:${port}/a/b?c=d`);
    assert.equal(
      new TextDecoder().decode(answer.body),
      `/a/b?c=d peer.example:${port} ngit-grasp-test version=2 identity`,
    );
  });
});

Deno.test("an answer over the bound is refused, announced or not, and costs no more than the bound", async () => {
  const { network } = testNetwork();
  let sent = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
  const handler = (request: Request) =>
    request.url.endsWith("/endless") ? new Response(endless()) : new Response("x".repeat(1_001));
  await withHttp(handler, async (port) => {
    const base = `http://peer.example:${port}`;
    for (const path of ["/long", "/endless"]) {
      assert.match(await got(network, { ...getting(base + path), maxBytes: 1_000 }), /^too_large: /);
    }
    assert.match(await got(network, { ...getting(`${base}/long`), maxBytes: 1_001 }), /^200 x+ /);
  });
  assert.ok(sent < 20_000_000, `${sent} bytes were sent`);
});

Deno.test("redirects are followed as far as allowed, and the answer says where it came from", async () => {
  const { network } = testNetwork();
  const handler = (request: Request) => {
    const step = Number(new URL(request.url).pathname.slice(1));
    if (step === 0) return new Response("there");
    return new Response("moved", { status: 302, headers: { location: `/${step - 1}` } });
  };
  await withHttp(handler, async (port) => {
    const base = `http://peer.example:${port}`;
    assert.equal(await got(network, { ...getting(`${base}/3`), maxRedirects: 3 }), `200 there ${base}/0`);
    assert.equal(await got(network, { ...getting(`${base}/4`), maxRedirects: 3 }), `302 moved ${base}/1`);
    assert.equal(await got(network, { ...getting(`${base}/1`), maxRedirects: 0 }), `302 moved ${base}/1`);
  });
});

Deno.test("P-78 a redirect is checked like a new URL: no private address, no other scheme, no user info, no low port", async () => {
  const resolved: string[] = [];
  const { network } = testNetwork({
    allowPrivate: false,
    resolve: (host) => {
      resolved.push(host);
      return Promise.resolve([host === "public.example" ? "127.0.0.1" : "10.0.0.7"]);
    },
  });
  let location = "";
  const handler = () => new Response(null, { status: 301, headers: { location } });
  await withHttp(handler, async (port) => {
    // The first host is the operator's, so it may be on this machine; where it points to is a stranger's.
    const request = { ...getting(`http://public.example:${port}/`), trusted: true };
    for (
      const target of [
        "http://inner.example/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:8080/",
        "http://localhost:8080/",
        "http://inner:8080/",
        "http://0x7f.1:8080/",
        "http://user:word@other.example/",
        `http://public.example:22/`,
        "ftp://other.example/",
        "file:///etc/passwd",
      ]
    ) {
      location = target;
      assert.match(await got(network, request), /^blocked: not dialled/, target);
    }
    location = "http://:0";
    assert.match(await got(network, request), /^protocol: a redirect to no URL/);
  });
  assert.deepEqual([...new Set(resolved)], ["public.example", "inner.example"]);
});

Deno.test("P-78 https is never left for http", async () => {
  const { network } = testNetwork();
  await withTls("good", (_request, response) => {
    response.writeHead(302, { location: "http://peer.example:8080/" }).end();
  }, async (port) => {
    assert.match(await got(network, getting(`https://peer.example:${port}/`)), /^blocked: .*https/);
  });
});

Deno.test("headers that belong to a host are not carried to another one", async () => {
  const { network } = testNetwork();
  const seen: string[] = [];
  const handler = (request: Request) => {
    const url = new URL(request.url);
    seen.push(`${url.hostname} ${request.headers.get("authorization")} ${request.headers.get("accept")}`);
    const location = `http://other.example:${url.port}/`;
    return url.hostname === "peer.example"
      ? new Response(null, { status: 307, headers: { location } })
      : new Response("end");
  };
  await withHttp(handler, async (port) => {
    const headers = { authorization: "secret", accept: "text/plain" };
    await network.get({ ...getting(`http://peer.example:${port}/`), headers });
  });
  assert.deepEqual(seen, ["peer.example secret text/plain", "other.example null text/plain"]);
});

Deno.test("answers that are none: garbage, a cut body, an encoding or an upgrade nobody asked for", async () => {
  const { network } = testNetwork();
  const table: readonly (readonly [string, RegExp])[] = [
    ["SSH-2.0-OpenSSH_9\r\n", /^protocol: /],
    ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", /^network: /],
    ["HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", /^protocol: an encoded/],
    [
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
      /^protocol: an upgrade/,
    ],
    [`HTTP/1.1 200 OK\r\nX: ${"x".repeat(200_000)}\r\n\r\n`, /^protocol: /],
    ["", /^network: /],
  ];
  for (const [answer, expected] of table) {
    await withAnswer(answer, async (port) => {
      assert.match(
        await got(network, getting(`http://peer.example:${port}/`)),
        expected,
        answer.slice(0, 60),
      );
    });
  }
});

Deno.test("P-79 a server that is silent, before or within its answer, is dropped at the deadline", async () => {
  const { network } = testNetwork();
  for (const start of ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"]) {
    let isOpen = true;
    await withTcp((socket) => {
      socket.resume().on("close", () => isOpen = false);
      socket.write(start);
    }, async (port) => {
      const request = { ...getting(`http://peer.example:${port}/`), timeoutMs: 150 };
      assert.match(await got(network, request), /^timeout: /);
      await eventually("the connection is gone", () => !isOpen);
    });
  }
});

Deno.test("a refused connection and an unsuitable URL are failures, not exceptions", async () => {
  const { network } = testNetwork();
  assert.match(await got(network, getting("http://peer.example:1/")), /^blocked: /);
  assert.match(await got(network, getting("ws://peer.example/")), /^blocked: /);
  assert.match(await got(network, getting("no url")), /^blocked: /);
  const headers = { "bad name": "x" };
  assert.match(await got(network, { ...getting("http://peer.example:8080/"), headers }), /^network: /);
  const port = await withTcp(() => {}, (port) => Promise.resolve(port));
  assert.match(await got(network, getting(`http://peer.example:${port}/`)), /^network: .*ECONNREFUSED/);
});

Deno.test("a body sent byte by byte arrives whole and takes no more memory than its bytes", async () => {
  const { network } = testNetwork();
  const size = 800_000;
  const text = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(size)}0\r\n\r\n`;
  await withAnswer(text, async (port) => {
    const before = Deno.memoryUsage().rss;
    const answer = await network.get({ ...getting(`http://peer.example:${port}/`), maxBytes: size });
    if (!answer.ok) assert.fail(answer.text);
    assert.equal(answer.body.length, size);
    assert.ok(answer.body.every((byte) => byte === 120));
    const grown = Deno.memoryUsage().rss - before;
    assert.ok(grown < 300 << 20, `${grown}`);
    const less = await network.get({ ...getting(`http://peer.example:${port}/`), maxBytes: size - 1 });
    assert.equal(less.ok ? "" : less.fault, "too_large");
  });
});
