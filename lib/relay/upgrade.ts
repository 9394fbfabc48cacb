import type { RejectReason } from "./ports.ts";

/** Why an upgrade is refused: the response to send, and its reason as counted. */
export interface UpgradeRefusal {
  readonly reason: RejectReason;
  readonly response: Response;
}

/**
 * True when a request asks for a WebSocket: GET with `Upgrade` and `Connection` read as comma lists
 * without regard to case, so that a browser's `keep-alive, Upgrade` counts.
 */
export function wantsUpgrade(request: Request): boolean {
  return request.method === "GET" && hasToken(request.headers.get("upgrade"), "websocket") &&
    hasToken(request.headers.get("connection"), "upgrade");
}

function hasToken(header: string | null, token: string): boolean {
  return header !== null && header.split(",").some((part) => part.trim().toLowerCase() === token);
}

/** 16 bytes of base64 (RFC 6455, 4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Checks the handshake itself; undefined when it is in order. */
export function handshakeProblem(request: Request): UpgradeRefusal | undefined {
  if (!wantsUpgrade(request)) return refusal("bad_request", 400, "WebSocket upgrade expected");
  if (!KEY.test(request.headers.get("sec-websocket-key") ?? "")) {
    return refusal("bad_request", 400, "Missing or malformed Sec-WebSocket-Key");
  }
  if (request.headers.get("sec-websocket-version") !== "13") {
    return refusal("bad_request", 426, "WebSocket version 13 is required", { "sec-websocket-version": "13" });
  }
  return undefined;
}

/** A plain-text refusal of an upgrade. */
export function refusal(
  reason: RejectReason,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): UpgradeRefusal {
  const response = new Response(`${text}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  });
  return { reason, response };
}
