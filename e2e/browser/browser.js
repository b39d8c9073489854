// A Chromium, and pages in it that remember what they asked for and what went wrong.
import { chromium } from "playwright-core";

export const patience = 30000; // on a busy machine, in milliseconds

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    chromiumSandbox: process.getuid() !== 0, // root has none
  });
}

// open opens a page in a browser of its own memory. The page has asked, the addresses that it asked
// for; wrong, what the console says; and transferred, which returns how many bytes came.
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "UTC", ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  Object.assign(page, { asked: [], wrong: [] });
  page.on("request", (request) => page.asked.push(request.url()));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.wrong.push(message.text());
  });
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  const sizes = new Map(); // of what came, by request; the stream never finishes
  const add = (id, bytes) => sizes.set(id, (sizes.get(id) || 0) + bytes);
  network.on("Network.responseReceived", ({ requestId, response }) =>
    add(requestId, response.encodedDataLength));
  network.on("Network.dataReceived", ({ requestId, encodedDataLength }) =>
    add(requestId, encodedDataLength));
  network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) =>
    sizes.set(requestId, encodedDataLength));
  page.transferred = () => [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  await page.goto(url);
  return page;
}

// card finds the card of a unit.
export const card = (page, name) =>
  page.locator("article", { has: page.getByRole("heading", { name, exact: true }) });

// shows waits until an element has a text.
export async function shows(locator, text) {
  await locator.filter({ hasText: text }).first().waitFor();
}
