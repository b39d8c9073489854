// Starts the programs that serve the page, and a proxy in front of one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const bin = process.env.E2E_BIN; // run builds the programs there

// start starts a program and returns it with a function that waits for a line of its output.
function start(command, args) {
  const child = spawn(join(bin, command), args, { stdio: ["pipe", "pipe", "pipe"] });
  const lines = [], waiting = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const look of waiting) look();
    });
  }
  const ended = once(child, "close");
  ended.then(() => { for (const look of waiting) look(true); });
  // line waits for a line that matches, and takes it.
  const line = (pattern) => new Promise((done, failed) => {
    const look = (over) => {
      const i = lines.findIndex((text) => pattern.test(text));
      if (i < 0 && !over) return;
      waiting.delete(look);
      if (i >= 0) done(pattern.exec(lines.splice(i, 1)[0]));
      else failed(new Error(`${command} ended:\n${lines.join("\n")}`));
    };
    waiting.add(look);
    look(child.exitCode !== null);
  });
  return { child, line, ended };
}

// units serves units that do what they are told. Its do takes a line such as "fail rack" and
// returns when that was done, in milliseconds since 1970.
export async function units(list, ...flags) {
  const { child, line, ended } = start("units.test",
    ["-test.run", "^TestServe$", "-test.timeout", "10m", "-units", JSON.stringify(list), ...flags]);
  const [, address] = await line(/^serving (.*)/);
  return {
    url: `http://${address}/`,
    async do(text) {
      child.stdin.write(text + "\n");
      return Number((await line(/^done (.*)/))[1]);
    },
    async stop() {
      child.stdin.end();
      await ended;
      if (child.exitCode !== 0) throw new Error("the server of the units failed");
    },
  };
}

// tripplited starts the daemon over a replayed unit. It may serve at an address that another one
// had.
export async function tripplited(address = "127.0.0.1:0") {
  const began = Date.now();
  const config = join(mkdtempSync(join(tmpdir(), "page-")), "tripplited.toml");
  writeFileSync(config, `http.listen = ["${address}"]\nnut.listen = []\n`);
  const { child, line, ended } =
    start("tripplited", ["--config", config, "--replay", "smart1500lcd"]);
  const [, at] = await line(/"Listening on" address=(\S+)/);
  return {
    began, address: at, url: `http://${at}/`,
    async kill(signal = "SIGKILL") {
      child.kill(signal);
      await ended;
    },
  };
}

// proxy serves what another server has, under a path.
export async function proxy(url, path) {
  const server = http.createServer((asked, answer) => {
    if (!asked.url.startsWith(path)) {
      answer.writeHead(404).end();
      return;
    }
    const { method, headers } = asked;
    const on = http.request(url + asked.url.slice(path.length), { method, headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      answer.flushHeaders();
      got.pipe(answer);
    });
    on.on("error", () => answer.destroy());
    answer.on("close", () => on.destroy());
    asked.pipe(on);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}${path}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
