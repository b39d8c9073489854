// axe-core finds nothing to object to.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { card, launch, open, shows } from "./browser.js";
import { tripplited, units } from "./server.js";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

// Each state of the page: what makes it, and how it is known to be there.
const states = {
  "on line power": {
    units: ["rack=smart1500lcd"], does: [],
    is: (page) => shows(card(page, "rack").locator(".state"), "On line power"),
  },
  "on battery with alerts, beside one that is lost": {
    units: ["rack=smart1500lcd", "desk=smart1500lcdt", "attic=omni900lcd"],
    does: ["fail rack", "low rack", "flag rack NeedReplacement 1", "fail desk", "unplug attic"],
    async is(page) {
      await shows(card(page, "rack").locator(".alerts"), "Replace battery");
      await shows(card(page, "rack").locator(".state"), "On battery");
      await shows(card(page, "attic").locator(".state"), "Lost");
    },
  },
  "no unit": { units: [], is: (page) => shows(page.locator("#notice"), "No UPS is attached.") },
  "a name that there is not": {
    units: ["rack=smart1500lcd"], query: "?unit=none",
    is: (page) => shows(page.locator("#notice"), "There is no unit"),
  },
  "the history": {
    units: ["rack=smart1500lcd", "desk=omni900lcd"], past: true, query: "?unit=rack",
    async is(page) {
      await page.getByRole("region", { name: "Events" }).locator("tbody tr").first().waitFor();
      await page.locator("#readings summary").click();
    },
  },
};

// check lets axe look at a page in both widths and both colours.
async function check(page, what) {
  await page.evaluate(axe); // by the debugger, which the page's policy does not bind
  for (const width of [390, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const { violations, passes } = await page.evaluate(() => axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      }));
      assert.ok(passes.some(({ id }) => id === "color-contrast"), "it looks at colours");
      assert.deepEqual(violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ html }) => `${id}: ${help}: ${html.slice(0, 120)}`)), [],
      `${what}, ${width} columns, ${colorScheme}`);
    }
  }
}

for (const [name, { units: list, does = [], past, query = "", is }] of Object.entries(states)) {
  test(`axe: ${name}`, async (t) => {
    const server = await units(list, ...(past ? ["-past"] : []));
    t.after(() => server.stop());
    for (const line of does) await server.do(line);
    const page = await open(browser, server.url + query);
    t.after(() => page.context().close());
    await is(page);
    await check(page, name);
  });
}

test("axe: no connection", async (t) => {
  const daemon = await tripplited();
  t.after(() => daemon.kill());
  const page = await open(browser, daemon.url);
  t.after(() => page.context().close());
  await shows(page.locator(".state"), "On line power");
  await daemon.kill();
  await shows(page.locator("#connection"), "No connection since");
  await check(page, "no connection");
});
