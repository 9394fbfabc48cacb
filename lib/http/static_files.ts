import { iconPng } from "./icon.ts";

const ROBOTS = `User-agent: *
Disallow: /metrics
Disallow: /*.git/
Allow: /
`;

const CACHING = { "Cache-Control": "public, max-age=86400" };

/** The files served from memory; undefined for every other path. Nothing is served from disk. */
export function staticFile(path: string): Response | undefined {
  switch (path) {
    case "/icon.png":
    case "/favicon.ico":
      return new Response(iconPng(), { headers: { "Content-Type": "image/png", ...CACHING } });
    case "/robots.txt":
      return new Response(ROBOTS, { headers: { "Content-Type": "text/plain; charset=utf-8", ...CACHING } });
    default:
      return undefined;
  }
}
