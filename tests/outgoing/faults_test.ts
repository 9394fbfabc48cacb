import assert from "node:assert/strict";
import { classifyFailure, classifyText, reasonText } from "../../lib/outgoing/mod.ts";
import { failure, failureOf } from "../../lib/outgoing/failure.ts";
import type { NaughtyCategory } from "../../lib/observe/mod.ts";
import { dialing, getting, testNetwork, withAnswer, withTcp, withTls, withTlsPeer } from "./support.ts";

const [DNS, TLS, PROTOCOL] = ["dns_lookup_failed", "tls_certificate_invalid", "protocol_error"] as const;

/** What git 2.39 with libcurl and GnuTLS or OpenSSL, and what this runtime prints. */
const MESSAGES: readonly (readonly [string, NaughtyCategory | undefined])[] = [
  // git
  ["fatal: unable to access 'https://nosuch.example/x.git/': Could not resolve host: nosuch.example", DNS],
  [
    "fatal: unable to access 'https://git.example/x.git/': server certificate verification failed. CAfile: /etc/ssl/certs/ca-certificates.crt CRLfile: none",
    TLS,
  ],
  [
    "fatal: unable to access 'https://git.example/x.git/': SSL: certificate subject name (wrong.example) does not match target host name 'git.example'",
    TLS,
  ],
  ["fatal: unable to access 'https://git.example/x/': SSL certificate problem: certificate has expired", TLS],
  ["fatal: unable to access 'https://git.example/x/': SSL certificate problem: self-signed certificate", TLS],
  [
    "fatal: unable to access 'https://git.example/x/': OpenSSL SSL_connect: Connection timed out in connection to git.example:443",
    undefined,
  ],
  [
    "fatal: unable to access 'http://127.0.0.1:9/x.git/': Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server",
    undefined,
  ],
  [
    "fatal: unable to access 'https://openssl.example/x/': Failed to connect to openssl.example port 443 after 2 ms: Couldn't connect to server",
    undefined,
  ],
  ["fatal: repository 'https://git.example/openssl-tools/ssl-certificate.git/' not found", undefined],
  ["fatal: unable to access 'https://git.example/x/': The requested URL returned error: 500", undefined],
  [
    "fatal: unable to access 'https://git.example/x/': Operation too slow. Less than 1000 bytes/sec transferred the last 60 seconds",
    undefined,
  ],
  ["fatal: protocol error: bad line length character: <!DO", undefined],
  ["fatal: remote error: upload-pack: not our ref 1234567890123456789012345678901234567890", undefined],
  ["fatal: the remote end hung up unexpectedly", undefined],
  [
    "remote: warning: certificate of this server expires soon\nfatal: could not read from remote repository",
    undefined,
  ],
  ["warning: remote certificate\n", undefined],
  ["", undefined],
  // this runtime
  ["getaddrinfo ENOTFOUND nosuch.example", DNS],
  ["getaddrinfo EAI_AGAIN nosuch.example: temporary failure in name resolution", undefined],
  ["failed to lookup address information: Name or service not known", DNS],
  ["failed to lookup address information: Temporary failure in name resolution", undefined],
  ["client error (Connect): dns error: failed to lookup address information: Name or service not known", DNS],
  [
    "ERR_TLS_CERT_ALTNAME_INVALID Hostname/IP does not match certificate's altnames: Host: peer.example. is not in the cert's altnames: DNS:wrong.example",
    TLS,
  ],
  ["invalid peer certificate: UnknownIssuer", TLS],
  ["invalid peer certificate: Expired", TLS],
  ["tls handshake eof", TLS],
  ["tls handshake timed out", undefined],
  ["WebSocket protocol error: invalid frame", PROTOCOL],
  ["websocket connection refused", undefined],
  ["protocol error", undefined],
  ["connect ECONNREFUSED 127.0.0.1:9", undefined],
];

Deno.test("S-102 P-80 each text of git and of this runtime has its category, whatever names it contains", () => {
  for (const [text, category] of MESSAGES) assert.equal(classifyText(text), category, text);
  for (
    const url of [
      "https://certificate.example/dns error",
      "wss://x/certificate",
      "git://getaddrinfo/ssl_error",
    ]
  ) {
    assert.equal(classifyText(`cannot reach ${url.replaceAll(" ", "%20")}`), undefined, url);
  }
});

Deno.test("S-102 the fault of a connection decides its category; what passes by itself has none", () => {
  const table: readonly (readonly [Parameters<typeof failure>[0], string, NaughtyCategory | undefined])[] = [
    ["dns", "getaddrinfo ENOTFOUND nosuch.example", DNS],
    ["dns", "getaddrinfo EAI_AGAIN nosuch.example: temporary failure in name resolution", undefined],
    ["tls", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", TLS],
    ["tls", "handshake timed out", undefined],
    ["protocol", "Unexpected server response: 200", PROTOCOL],
    ["protocol", "Unexpected server response: 404", PROTOCOL],
    ["protocol", "Unexpected server response: 502", undefined],
    ["protocol", "Unexpected server response: 429", undefined],
    ["blocked", "not dialled: certificate", undefined],
    ["timeout", "no result within 5000 ms", undefined],
    ["network", "connect ECONNREFUSED 1.2.3.4:443", undefined],
    ["too_large", "more than 5 bytes", undefined],
    ["aborted", "given up", undefined],
  ];
  for (const [fault, text, category] of table) {
    assert.equal(classifyFailure(failure(fault, text)), category, text);
  }
});

/** Fault and category of a dial, and of a GET, to `url` (without scheme). */
async function outcomes(url: string, scheme: "" | "s", withAuthority = true): Promise<string[]> {
  const { network } = testNetwork(withAuthority ? {} : { certificateAuthorities: [] });
  const results = [
    await network.dial(dialing(`ws${scheme}://${url}`)),
    await network.get(getting(`http${scheme}://${url}`)),
  ];
  return results.map((result) => {
    if (!result.ok) return `${result.fault} ${classifyFailure(result) ?? "-"}`;
    if ("socket" in result) result.socket.close();
    return "ok";
  });
}

Deno.test("S-102 P-80 real certificates: expired, self-signed, for another host, of an unknown authority", async () => {
  for (const name of ["expired", "self_signed", "wrong_host"]) {
    await withTlsPeer(name, async (port) => {
      const both = await outcomes(`peer.example:${port}/`, "s");
      assert.deepEqual(both, Array(2).fill(`tls ${TLS}`), name);
      assert.deepEqual(await outcomes(`127.0.0.1:${port}/`, "s"), both, `${name} by address`);
    });
  }
  await withTlsPeer("good", async (port) => {
    assert.deepEqual(await outcomes(`peer.example:${port}/`, "s"), ["ok", "ok"]);
    assert.deepEqual(await outcomes(`127.0.0.1:${port}/`, "s"), ["ok", "ok"]);
    assert.deepEqual(await outcomes(`other.example:${port}/`, "s"), Array(2).fill(`tls ${TLS}`));
    assert.deepEqual(await outcomes(`peer.example:${port}/`, "s", false), Array(2).fill(`tls ${TLS}`));
  });
});

Deno.test("S-102 real answers that are no WebSocket: pages, redirects, busy servers, other protocols", async () => {
  const table: readonly (readonly [string, string])[] = [
    ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", `protocol ${PROTOCOL}`],
    ["HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", `protocol ${PROTOCOL}`],
    ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", `protocol ${PROTOCOL}`],
    ["HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "protocol -"],
    ["HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", "protocol -"],
    ["SSH-2.0-OpenSSH_9\r\n", `protocol ${PROTOCOL}`],
    [
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
      `protocol ${PROTOCOL}`,
    ],
    ["", "network -"],
  ];
  for (const [answer, expected] of table) {
    await withAnswer(answer, async (port) => {
      const [dialled] = await outcomes(`peer.example:${port}/`, "");
      assert.equal(dialled, expected, answer);
    });
  }
});

Deno.test("S-102 TLS spoken to a server without it is a TLS fault, a closed port and a cut connection are none", async () => {
  await withAnswer("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", async (port) => {
    assert.deepEqual(await outcomes(`peer.example:${port}/`, "s"), Array(2).fill(`tls ${TLS}`));
  });
  await withTcp((socket) => socket.destroy(), async (port) => {
    assert.deepEqual(await outcomes(`peer.example:${port}/`, "s"), Array(2).fill("network -"));
  });
  const closed = await withTls("good", () => {}, (port) => Promise.resolve(port));
  assert.deepEqual(await outcomes(`peer.example:${closed}/`, "s"), Array(2).fill("network -"));
});

Deno.test("S-102 P-80 a name that does not exist lists the host, a resolver that is down does not", async () => {
  const table = [
    ["getaddrinfo ENOTFOUND nosuch.example", `dns ${DNS}`],
    ["getaddrinfo EAI_AGAIN nosuch.example: temporary failure in name resolution", "dns -"],
  ] as const;
  for (const [message, expected] of table) {
    const { network } = testNetwork({ resolve: () => Promise.reject(new Error(message)) });
    const result = await network.dial(dialing("wss://nosuch.example"));
    assert.equal(!result.ok && `${result.fault} ${classifyFailure(result) ?? "-"}`, expected);
  }
});

Deno.test("errors of the runtime become one line, whatever they contain", () => {
  const said = failureOf(
    Object.assign(new Error(`line\r\n\x1b[31m${"x".repeat(1_000)}`), { code: "HPE_INVALID" }),
  );
  assert.equal(said.fault, "protocol");
  assert.match(said.text, /^HPE_INVALID line \[31mx+$/);
  assert.equal(said.text.length, 300);
  assert.equal(failureOf("thrown text").fault, "network");
  assert.equal(failureOf(Object.assign(new Error("x"), { code: "ETIMEDOUT" })).fault, "timeout");
});

Deno.test("a reason for a label has at most 120 characters, no URL, no address", () => {
  const text = "no route to wss://relay.example/x?y at 10.0.0.1:443 or [2606:4700::1]:443\nnow " +
    "é".repeat(200);
  const reason = reasonText(text);
  assert.match(reason, /^no route to <url> at <address>:443 or <address>:443 now é+…$/);
  assert.equal([...reason].length, 120);
});
