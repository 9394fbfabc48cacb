import { createHash } from "node:crypto";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

/** Markup that is already safe to insert. */
export class Html {
  constructor(readonly text: string) {}
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

type Value = string | number | Html | readonly Html[] | undefined;

/** Template tag: every value is escaped unless it is {@link Html} already. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(strings.reduce((text, part, index) => text + render(values[index - 1]) + part));
}

function render(value: Value): string {
  if (value === undefined) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "string") return escapeHtml(visible(value));
  if (typeof value === "number") return String(value);
  return value.map((item) => item.text).join("");
}

/** `text` with the five characters that mean something in HTML replaced. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ESCAPES[char]!);
}

/** Control, invisible and bidirectional formatting characters, which could disguise a name, made visible. */
function visible(text: string): string {
  return text.toWellFormed().replace(
    // deno-lint-ignore no-control-regex -- control characters are what is looked for
    /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/g,
    (char) => `\u27e8U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`,
  );
}

/** What a page needs beside its text. */
export interface PageParts {
  readonly status: number;
  readonly title: string;
  /** For search engines and previews. */
  readonly description?: string | undefined;
  /** Further elements of the head. */
  readonly head?: Html;
  readonly body: Html;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A whole page: no external assets, and nothing that a stranger wrote unescaped. */
export function page({ status, title, description, head, body, headers = {} }: PageParts): Response {
  const document = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width,initial-scale=1">
        <title>${title}</title>
        <meta property="og:title" content="${title}">
        ${description
          ? html`
            <meta name="description" content="${description}">
          `
          : undefined}
        <link rel="icon" type="image/png" href="/icon.png">
        ${head} ${inline("style", STYLE)} ${inline("script", SCRIPT)}
      </head>
      <body>${body}</body>
    </html>
  `;
  const response = new Response(document.text.trimStart(), { status, headers });
  response.headers.set("Content-Type", "text/html; charset=utf-8");
  response.headers.set("Content-Security-Policy", contentSecurityPolicy());
  response.headers.set("Referrer-Policy", "no-referrer");
  return response;
}

/** An inline element whose content is exactly `text`: its hash counts every space. */
function inline(element: "style" | "script", text: string): Html {
  return new Html(`<${element}>${text}</${element}>`);
}

let policy: string | undefined;

function contentSecurityPolicy(): string {
  return policy ??= [
    "default-src 'none'",
    "img-src 'self' https: data:",
    `style-src ${hashSource(STYLE)}`,
    `script-src ${hashSource(SCRIPT)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function hashSource(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
