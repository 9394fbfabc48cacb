// Both imports bring the packages into Deno's cache, from where their browser builds are served.
import "buffer";
import { version } from "isomorphic-git";

const PAGE = `<!DOCTYPE html><meta charset="utf-8"><title>client</title>
<script src="/buffer.js"></script><script src="/git.js"></script><script src="/http.js"></script><script src="/fs.js"></script>`;

/** A web site on another origin whose page holds a git client (isomorphic-git) and an empty file system. */
export interface ClientSite extends AsyncDisposable {
  readonly url: string;
}

/** Serves the client page on a free port. */
export async function startClientSite(): Promise<ClientSite> {
  const library = await packageDirectory("isomorphic-git", version());
  const scripts: Readonly<Record<string, string>> = {
    "/buffer.js": await bufferScript(),
    "/git.js": await Deno.readTextFile(`${library}/index.umd.min.js`),
    "/http.js": await Deno.readTextFile(`${library}/http/web/index.umd.js`),
    "/fs.js": await Deno.readTextFile(`${import.meta.dirname}/memory_fs.js`),
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const script = scripts[new URL(request.url).pathname];
    return script === undefined
      ? new Response(PAGE, { headers: { "content-type": "text/html" } })
      : new Response(script, { headers: { "content-type": "text/javascript" } });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** The `Buffer` that isomorphic-git expects a page to have, with its two dependencies. */
async function bufferScript(): Promise<string> {
  const modules = await Promise.all(["base64-js", "ieee754", "buffer"].map(async (name) => {
    const source = await Deno.readTextFile(`${await packageDirectory(name)}/index.js`);
    return `${JSON.stringify(name)}(exports, require, module) {\n${source}\n}`;
  }));
  return `(() => {
    const modules = { ${modules.join(",")} };
    const require = (name) => {
      const module = { exports: {} };
      modules[name](module.exports, require, module);
      return module.exports;
    };
    globalThis.Buffer = require("buffer").Buffer;
  })();`;
}

/** Where Deno keeps a package: its browser build is no export, so it cannot be imported by name. */
async function packageDirectory(name: string, version?: string): Promise<string> {
  const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stderr: "null" }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(info.stdout)) as { npmCache: string };
  for await (const registry of Deno.readDir(npmCache)) {
    const directory = `${npmCache}/${registry.name}/${name}`;
    const versions = await Array.fromAsync(Deno.readDir(directory)).catch(() => []);
    const found = versions.find((entry) => entry.isDirectory && (version ?? entry.name) === entry.name);
    if (found) return `${directory}/${found.name}`;
  }
  throw new Error(`${name} ${version ?? ""} is not in ${npmCache}`);
}
