import type { NetworkFailure, NetworkFault } from "../world/mod.ts";

const MAX_TEXT = 300;

/** A failed connection; `text` is cut to one short line because others may have written parts of it. */
export function failure(fault: NetworkFault, text: string): NetworkFailure {
  return { ok: false, fault, text: text.replace(/[\s\p{Cc}]+/gu, " ").trim().slice(0, MAX_TEXT) };
}

/** The failure an error of a socket, of TLS, of the HTTP parser or of the WebSocket client stands for. */
export function failureOf(error: unknown): NetworkFailure {
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const shown = code === "" || text.includes(code) ? text : `${code} ${text}`;
  return failure(faultOf(code, text), shown);
}

/** Codes of refused certificates and failed handshakes; OpenSSL names, which the runtime uses for its own TLS too. */
const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|PATH_LENGTH_)/;
/** The HTTP parser and the WebSocket receiver. */
const PROTOCOL_CODE = /^(?:HPE_|WS_ERR_|ERR_HTTP_)/;
/** Handshake refusals of the WebSocket client, which carry no code. */
const PROTOCOL_TEXT = /^(?:Unexpected server response|Invalid |Server (?:sent|indicated))/;

function faultOf(code: string, text: string): NetworkFault {
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return "too_large";
  if (code === "ETIMEDOUT") return "timeout";
  if (TLS_CODE.test(code) || /^invalid peer certificate/.test(text)) return "tls";
  if (PROTOCOL_CODE.test(code) || (code === "" && PROTOCOL_TEXT.test(text))) return "protocol";
  return "network";
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
