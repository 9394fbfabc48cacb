import { bind, createHandler, type Listener, type Routes, type Site } from "../../lib/http/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { newSigner } from "../support/keys.ts";
import { silentLog } from "../support/silent_log.ts";

/** The one owner whose repositories exist behind {@link testRoutes}. */
export const { npub, pubkey } = newSigner();

/** A site whose name is hostile. */
export const testSite: Site = {
  name: `relay "><img src=x>`,
  description: "test",
  domain: "git.example.org",
  scheme: "https",
  version: "0",
  supportedGrasps: ["GRASP-01"],
  supportedNips: [1, 11],
  acceptance: "None",
  curation: undefined,
};

/** Routes with every part behind the router replaced by its simplest answer. */
export function testRoutes(overrides: Partial<Routes> = {}): Routes {
  return {
    site: testSite,
    git: () => undefined,
    isUpgrade: () => false,
    relay: () => new Response(),
    relayInformation: () => undefined,
    clientAddress: (_request, peer) => peer,
    repositoryExists: (owner) => Promise.resolve(owner === pubkey),
    repositoryFacts: () => Promise.resolve(undefined),
    metrics: () => Promise.resolve(undefined),
    status: () => Promise.resolve(undefined),
    operatorPages: true,
    failingChecks: () => Promise.resolve([]),
    readinessDetails: () => undefined,
    finished: () => {},
    clock: systemClock,
    requestId: () => "request-1",
    log: silentLog,
    ...overrides,
  };
}

/** Asks the handler directly. */
export function handler(overrides: Partial<Routes> = {}) {
  const answer = createHandler(testRoutes(overrides));
  return (path: string, init?: RequestInit) => answer(new Request(`http://h${path}`, init), "127.0.0.1");
}

/** Serves the handler on a free port of the loopback interface while `work` runs. */
export async function listening(
  overrides: Partial<Routes>,
  work: (port: number, listener: Listener) => Promise<void>,
): Promise<void> {
  const listener = bind({ hostname: "127.0.0.1", port: 0 }, systemClock);
  listener.serve(createHandler(testRoutes(overrides)));
  try {
    await work(listener.port, listener);
  } finally {
    await listener.close(1_000);
  }
}

/** An answer as it came over the wire: every header line, in order. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** Values of one header. */
  all(name: string): readonly string[];
}

/**
 * Sends one request byte by byte as given and reads until the server closes; `Connection: close` is
 * the caller's, or the answer's length ends the reading.
 */
export async function rawRequest(
  port: number,
  text: string,
  more: readonly string[] = [],
): Promise<RawAnswer> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const timer = setTimeout(() => connection.close(), 15_000);
  try {
    const sent = sendAll(connection, [text, ...more]);
    let received = "";
    const decoder = new TextDecoder("latin1");
    const buffer = new Uint8Array(65_536);
    while (!isComplete(received, text.startsWith("HEAD "))) {
      const length = await connection.read(buffer).catch(() => null);
      if (length === null) break;
      received += decoder.decode(buffer.subarray(0, length));
    }
    await sent;
    return parse(received);
  } finally {
    clearTimeout(timer);
    try {
      connection.close();
    } catch {
      // closed by the deadline
    }
  }
}

/** A server may refuse and close before it has read everything. */
async function sendAll(connection: Deno.Conn, parts: readonly string[]): Promise<void> {
  const encoder = new TextEncoder();
  try {
    for (const part of parts) {
      for (let bytes = encoder.encode(part); bytes.length > 0;) {
        bytes = bytes.subarray(await connection.write(bytes));
      }
    }
  } catch {
    // what it answered is what counts
  }
}

function isComplete(received: string, isHead: boolean): boolean {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, end + 2))?.[1];
  if (isHead || /^HTTP\/1\.1 (?:101|204|304)/.test(received)) return true;
  return length !== undefined && received.length >= end + 4 + Number(length);
}

function parse(received: string): RawAnswer {
  const end = received.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = received.slice(0, end).split("\r\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return {
    status: Number(statusLine.split(" ")[1]),
    headers,
    body: received.slice(end + 4),
    all: (name) => headers.filter(([key]) => key === name.toLowerCase()).map(([, value]) => value),
  };
}
