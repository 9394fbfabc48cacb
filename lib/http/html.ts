import { createHash } from "node:crypto";

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

/** Control and bidirectional formatting characters, which could disguise a name, made visible. */
function visible(text: string): string {
  return text.toWellFormed().replace(
    // deno-lint-ignore no-control-regex -- control characters are what is looked for
    /[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\u27e8U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`,
  );
}

const STYLE =
  `:root{color-scheme:dark light;--bg:#14131f;--fg:#e8e7f2;--dim:#a3a1ba;--box:#1f1d30;--line:#35324d;--link:#a79cff}
@media(prefers-color-scheme:light){:root{--bg:#fff;--fg:#1b1a26;--dim:#5b5970;--box:#f4f3fb;--line:#d9d6ee;--link:#3f2fd0}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 system-ui,sans-serif}
main,footer{max-width:46rem;margin:0 auto;padding:1.5rem 1.1rem}h1{font-size:1.7rem;overflow-wrap:anywhere;margin:.2rem 0 .6rem}
a{color:var(--link)}code,pre{font:14px/1.5 ui-monospace,monospace}pre{background:var(--box);border:1px solid var(--line);border-radius:8px;
padding:.8rem;overflow-x:auto}.dim{color:var(--dim);overflow-wrap:anywhere}.tag{display:inline-block;border:1px solid var(--line);
border-radius:99px;padding:.1rem .7rem;margin:.15rem .3rem .15rem 0;font-size:.9rem}dt{color:var(--dim);margin-top:.7rem}dd{margin:0;overflow-wrap:anywhere}
footer{border-top:1px solid var(--line);font-size:.9rem}`;

const POLICY = [
  "default-src 'none'",
  "img-src 'self' https: data:",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** A whole page: no external assets, no script, nothing that a stranger wrote unescaped. */
export function page(status: number, title: string, body: Html, headers: HeadersInit = {}): Response {
  const document = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width,initial-scale=1">
        <title>${title}</title>
        <style>
        ${new Html(STYLE)}
        </style>
      </head>
      <body>${body}</body>
    </html>
  `;
  const response = new Response(document.text, { status, headers });
  response.headers.set("Content-Type", "text/html; charset=utf-8");
  response.headers.set("Content-Security-Policy", POLICY);
  response.headers.set("Referrer-Policy", "no-referrer");
  return response;
}
