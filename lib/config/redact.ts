/**
 * A value that must not be seen: it prints as `[secret]` wherever it ends up by mistake (string
 * templates, JSON, inspection).
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The secret itself. Never log, print or store what this returns. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }
}

/** Longest value copied into a message, in characters. */
const MAX_SHOWN = 200;

/**
 * `value` as it may appear in a message: one line, at most 200 characters, secret keys and the user
 * info of URLs replaced, because a secret may have been given to the wrong option.
 */
export function shown(value: string): string {
  const safe = value
    .replace(/nsec1[0-9a-z]*/gi, "nsec1***")
    .replace(/(:?\/\/?)[^\s/,]*@/g, "$1***@")
    // deno-lint-ignore no-control-regex -- finding control characters is the purpose
    .replace(/[\x00-\x1f\x7f-\x9f]/g, (char) => "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0"));
  return safe.length <= MAX_SHOWN ? safe : safe.slice(0, MAX_SHOWN) + "...";
}

/** What was meant as a URL, without anything before its last `@`: what breaks a URL may stand within its password. */
export function withoutUserInfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1***@");
}

/** An npub short enough for a table: `npub1abc…wxyz`. */
export function shortNpub(npub: string): string {
  return `${npub.slice(0, 8)}…${npub.slice(-4)}`;
}
