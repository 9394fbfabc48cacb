import { eventually } from "../support/temp.ts";

/** A proxy in front of a server, made of a shipped configuration file. */
export interface Proxy {
  readonly pid: number;
  /** Where it may write bodies it does not stream. */
  readonly temporaryPath: string;
  /** What it has logged. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** Where a proxy listens and what is behind it. */
export interface ProxyPlace {
  readonly directory: string;
  /** On 127.0.0.1 and 127.0.0.2. */
  readonly port: number;
  readonly upstreamPort: number;
}

/** A kind of proxy we ship a configuration for. */
export interface ProxyKind {
  readonly name: string;
  readonly isInstalled: boolean;
  start(place: ProxyPlace): Promise<Proxy>;
}

const SHIPPED = `${import.meta.dirname}/../../docs/deploy`;

/** nginx with `docs/deploy/nginx.conf` inside what a distribution's main file has. */
export const NGINX: ProxyKind = {
  name: "nginx",
  isInstalled: runs("nginx", "-v"),
  start: async (place) => {
    const { directory, port } = place;
    const site = replaced(await Deno.readTextFile(`${SHIPPED}/nginx.conf`), [
      ["listen 80;", `listen 127.0.0.1:${port};`],
      ["listen [::]:80;", `listen 127.0.0.2:${port};`],
      ["server_name git.example.org;", "server_name localhost;"],
      ["http://127.0.0.1:7334;", `http://127.0.0.1:${place.upstreamPort};`],
    ]);
    await Deno.writeTextFile(`${directory}/site.conf`, site);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
      `${name}_temp_path ${directory}/temporary/${name};`
    );
    await Deno.mkdir(`${directory}/temporary`);
    await Deno.writeTextFile(
      `${directory}/nginx.conf`,
      `daemon off; worker_processes 1; pid ${directory}/pid; error_log stderr info;
      ${Deno.uid() === 0 ? "user root;" : ""}
      events { worker_connections 256; }
      http { access_log off; gzip on; ${temporary.join(" ")} include ${directory}/site.conf; }`,
    );
    return await spawn(place, "nginx", ["-e", "stderr", "-p", directory, "-c", `${directory}/nginx.conf`]);
  },
};

/** Caddy with `docs/deploy/Caddyfile`, without TLS. */
export const CADDY: ProxyKind = {
  name: "Caddy",
  isInstalled: runs("caddy", "version"),
  start: async (place) => {
    const { directory, port } = place;
    const shipped = replaced(await Deno.readTextFile(`${SHIPPED}/Caddyfile`), [
      ["git.example.org {", `http://:${port} {\n\tbind 127.0.0.1 127.0.0.2`],
      ["reverse_proxy 127.0.0.1:7334 {", `reverse_proxy 127.0.0.1:${place.upstreamPort} {`],
    ]);
    await Deno.mkdir(`${directory}/temporary`);
    await Deno.writeTextFile(`${directory}/Caddyfile`, `{\n\tadmin off\n}\n${shipped}`);
    return await spawn(place, "caddy", [
      "run",
      "--adapter",
      "caddyfile",
      "--config",
      `${directory}/Caddyfile`,
    ]);
  },
};

/** Exactly these places of a shipped file differ in a test. */
function replaced(text: string, places: readonly (readonly [string, string])[]): string {
  return places.reduce((result, [from, to]) => {
    if (result.split(from).length !== 2) throw new Error(`not exactly once in the shipped file: ${from}`);
    return result.replace(from, () => to);
  }, text);
}

function runs(command: string, argument: string): boolean {
  try {
    return new Deno.Command(command, { args: [argument], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

async function spawn({ directory, port }: ProxyPlace, command: string, args: string[]): Promise<Proxy> {
  const temporaryPath = `${directory}/temporary`;
  const logPath = `${directory}/proxy.log`;
  const shell = `exec "$@" >${logPath} 2>&1`;
  const child = new Deno.Command("sh", {
    args: ["-c", shell, "sh", command, ...args],
    env: { HOME: directory, TMPDIR: temporaryPath, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
    stdin: "null",
  }).spawn();
  const log = () => Deno.readTextFile(logPath);
  let ended = false;
  const status = child.status.finally(() => ended = true);
  const stop = async () => {
    if (!ended) child.kill("SIGTERM");
    await status;
  };
  try {
    await eventually(`${command} listens`, async () => {
      if (ended) throw new Error(`${command} did not start:\n${await log()}`);
      return await Deno.connect({ hostname: "127.0.0.1", port }).then(
        (it) => (it.close(), true),
        () => false,
      );
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid, temporaryPath, log, stop };
}
