/** One request as it goes over the wire; the body has one character per byte. */
export interface WireRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What came of a run. */
export interface WrkRun {
  readonly requests: number;
  readonly seconds: number;
  /** Bytes received, heads included. */
  readonly bytes: number;
}

const TIMEOUT_MS = 60_000;

/**
 * Sends `requests` in turn to `origin` for `seconds`, over `connections` that are kept alive, with the program wrk:
 * a client that computes next to nothing, so that the server has the machine. Throws when an answer is a refusal or
 * a connection fails, and when wrk is not installed.
 */
export async function runWrk(
  origin: string,
  requests: readonly WireRequest[],
  { connections, seconds, directory }: {
    readonly connections: number;
    readonly seconds: number;
    /** For its script. */
    readonly directory: string;
  },
): Promise<WrkRun> {
  const script = `${directory}/requests.lua`;
  await Deno.writeTextFile(script, scriptOf(requests));
  const args = [
    "-t",
    "1",
    "-c",
    `${connections}`,
    "-d",
    `${seconds}s`,
    "--timeout",
    "30s",
    "-s",
    script,
    origin,
  ];
  const { code, stdout, stderr } = await new Deno.Command("wrk", {
    args,
    signal: AbortSignal.timeout(seconds * 1000 + TIMEOUT_MS),
  }).output().catch((error) => {
    throw error instanceof Deno.errors.NotFound ? new Error("wrk is not installed (Debian: wrk)") : error;
  });
  const text = new TextDecoder().decode(stdout);
  const line = text.split("\n").find((one) => one.startsWith(MARK));
  if (code !== 0 || line === undefined) throw new Error(`wrk: ${text}${new TextDecoder().decode(stderr)}`);
  const [done = 0, bytes = 0, microseconds = 0, refused = 0, failed = 0] = line.split(" ").slice(1).map(
    Number,
  );
  if (refused + failed > 0) {
    throw new Error(`${origin}: of ${done} requests ${refused} were refused, and ${failed} failed`);
  }
  return { requests: done, seconds: microseconds / 1e6, bytes };
}

/** Begins the line with the result. */
const MARK = "result ";

function scriptOf(requests: readonly WireRequest[]): string {
  const formatted = requests.map(({ method, path, headers, body }) => {
    const fields = Object.entries(headers).map(([name, value]) => `[${quote(name)}]=${quote(value)}`);
    const content = body === undefined ? "nil" : quote(body);
    return `wrk.format(${quote(method)}, ${quote(path)}, {${fields.join(",")}}, ${content})`;
  });
  return `local requests = {}
local last = 0
function init(args)
  requests = {${formatted.join(", ")}}
end
function request()
  last = last % #requests + 1
  return requests[last]
end
function done(summary)
  local e = summary.errors
  print(string.format("${MARK}%d %d %d %d %d", summary.requests, summary.bytes, summary.duration, e.status,
    e.connect + e.read + e.write + e.timeout))
end
`;
}

/** A string of Lua. */
function quote(text: string): string {
  const escaped = text.replace(
    /[^ !#-[\]-~]/g,
    (char) => `\\${char.charCodeAt(0).toString().padStart(3, "0")}`,
  );
  return `"${escaped}"`;
}
