import type { Logger } from "../observe/mod.ts";
import type { Clock, GetAnswer, GetRequest, Network, NetworkFailure } from "../world/mod.ts";
import { bareHost } from "./address_guard.ts";
import { Deadline } from "./deadline.ts";
import { type ConnectionOptions, openSocket } from "./dial.ts";
import { failure } from "./failure.ts";
import { HostGuard } from "./host_guard.ts";
import { getOnce } from "./http_get.ts";
import { type Resolve, systemResolve } from "./system_resolver.ts";

/** What {@link createNetwork} needs. */
export interface NetworkOptions {
  /** Lifts the rules on names and addresses; schemes and ports stay. */
  readonly allowPrivate: boolean;
  /** IP addresses of this machine, which nobody else may name. */
  readonly ownAddresses: readonly string[];
  readonly clock: Clock;
  /** Sent with every request. */
  readonly userAgent: string;
  readonly log: Logger;
  /** How names become addresses; the operating system unless given. */
  readonly resolve?: Resolve;
  /** Certificate authorities (PEM) trusted beside those of the system. */
  readonly certificateAuthorities?: readonly string[];
}

/** The real {@link Network}. */
export function createNetwork(options: NetworkOptions): Network {
  const { clock, userAgent, certificateAuthorities } = options;
  const guard = new HostGuard({ ...options, resolve: options.resolve ?? systemResolve });
  const connections: ConnectionOptions = { userAgent, certificateAuthorities };
  const within = async <T>(
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
    work: (deadline: Deadline) => Promise<T>,
  ): Promise<T> => {
    const deadline = new Deadline(clock, timeoutMs, signal);
    try {
      return await work(deadline);
    } finally {
      deadline.end();
    }
  };
  return {
    dial: (request) =>
      within(request, async (deadline) => {
        if (!/^wss?:/i.test(request.url)) return failure("blocked", "not dialled: not a WebSocket URL");
        const pinned = await guard.check(request.url, request.trusted, deadline);
        return pinned.ok ? openSocket(pinned, request, deadline, connections) : pinned;
      }),
    get: (request) => within(request, (deadline) => follow(request, guard, deadline, connections)),
    pin: (url, limits) => within(limits, (deadline) => guard.check(url, false, deadline)),
  };
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Headers meant for the host they were written for. */
const PRIVATE_HEADERS: ReadonlySet<string> = new Set(["authorization", "cookie"]);

/** Follows redirects as far as allowed; the answer that exceeds the number is returned as it is. */
async function follow(
  request: GetRequest,
  guard: HostGuard,
  deadline: Deadline,
  connections: ConnectionOptions,
): Promise<GetAnswer | NetworkFailure> {
  let { trusted, headers } = request;
  let next = request.url;
  for (let left = request.maxRedirects;; left--) {
    if (!/^https?:/i.test(next)) return failure("blocked", "not dialled: not an HTTP URL");
    const pinned = await guard.check(next, trusted, deadline);
    if (!pinned.ok) return pinned;
    const url = new URL(next);
    url.hash = "";
    const answer = await getOnce(url, pinned, { headers, maxBytes: request.maxBytes }, deadline, connections);
    const location = answer.ok && REDIRECTS.has(answer.status) ? answer.headers.get("location") : null;
    if (location === null || left <= 0) return answer;
    const target = targetOf(location, url);
    if (!(target instanceof URL)) return target;
    if (target.origin !== url.origin) headers = withoutPrivate(headers);
    // The operator named one host, not those it points to.
    trusted &&= bareHost(target) === bareHost(url);
    next = target.href;
  }
}

function targetOf(location: string, from: URL): URL | NetworkFailure {
  if (!URL.canParse(location, from)) return failure("protocol", "a redirect to no URL");
  const target = new URL(location, from);
  if (from.protocol === "https:" && target.protocol !== "https:") {
    return failure("blocked", "not dialled: a redirect from https to another scheme");
  }
  if (target.username !== "" || target.password !== "") {
    return failure("blocked", "not dialled: a redirect with user information");
  }
  return target;
}

function withoutPrivate(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !PRIVATE_HEADERS.has(name.toLowerCase())),
  );
}
