// The page keeps to itself, to its place, and to what the visitor wants.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { card, launch, open, shows } from "./browser.js";
import { proxy, tripplited, units } from "./server.js";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const drawn = (page) => page.waitForFunction(() => document.querySelector("#charts canvas") &&
  document.querySelector("#tables tbody tr"));

test("the page asks its server alone, for less than 100 kB, and nothing goes wrong", async (t) => {
  const server = await units(["rack=smart1500lcd"], "-past");
  t.after(() => server.stop());
  const page = await open(browser, server.url);
  await shows(card(page, "rack").locator(".state"), "On line power");
  await drawn(page);
  await page.waitForLoadState("load");
  await page.evaluate(() => document.fonts.ready);
  const bytes = page.transferred();
  t.diagnostic(`${bytes} bytes with charts, by ${page.asked.length} requests`);
  assert.ok(bytes > 20_000 && bytes < 100_000);
  for (const asked of page.asked) assert.ok(asked.startsWith(server.url), asked);
  assert.deepEqual(page.wrong, []);
  const { cookies } = await page.context().storageState();
  assert.deepEqual(cookies, []);
  await page.context().close();
});

test("the page runs no code that is not the program's", async (t) => {
  const daemon = await tripplited();
  t.after(() => daemon.kill());
  const page = await open(browser, daemon.url);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
    const image = document.createElement("img");
    image.src = "http://127.0.0.1:1/";
    document.body.append(image);
  });
  await page.waitForFunction(() => document.images[0].complete);
  assert.equal(await page.evaluate(() => window.ran), undefined);
  const refused = page.wrong.filter((text) => text.startsWith("policy: "));
  assert.equal(refused.length, 2, page.wrong.join("\n"));
  await page.context().close();
});

test("what a hostile unit says is text", async (t) => {
  const hostile = `<img src=x onerror="window.ran=1"><script>window.ran=1</script>{{.}}"'&amp;`;
  const server = await units([`${hostile}=smart1500lcd`, "desk=omni900lcd"]);
  t.after(() => server.stop());
  const page = await open(browser, server.url);
  const one = page.locator("article").first();
  await shows(one.locator("h2"), hostile);
  await shows(one.locator(".model"), hostile);
  assert.equal(await page.locator("main img, main script, main b").count(), 0);
  await one.locator("h2 a").click();
  await page.waitForFunction((name) => new URLSearchParams(location.search).get("unit") === name,
    hostile);
  await shows(page.locator("#charts"), "Load");
  await page.reload();
  await shows(one.locator("h2"), hostile);
  await page.goto(server.url + "?unit=" + encodeURIComponent("<b>none</b>"));
  await shows(page.locator("#notice"), "There is no unit “<b>none</b>” here.");
  assert.equal(await page.locator("main img, main script, main b").count(), 0);
  assert.equal(await page.evaluate(() => window.ran), undefined);
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("the page works behind a proxy, under a path", async (t) => {
  const server = await units(["rack=smart1500lcd", "desk=omni900lcd"]);
  t.after(() => server.stop());
  const front = await proxy(server.url, "/some/ups/");
  t.after(() => front.stop());
  const page = await open(browser, front.url);
  await shows(card(page, "rack").locator(".state"), "On line power");
  await server.do("fail rack");
  await shows(card(page, "rack").locator(".state"), "On battery");
  await page.getByRole("link", { name: "rack", exact: true }).click();
  await drawn(page);
  await page.getByRole("link", { name: "1 hour" }).click();
  await page.waitForURL(front.url + "?unit=rack&range=hour");
  const links = await page.locator("footer a, #tables a").evaluateAll((all) =>
    all.map((link) => link.href));
  assert.ok(links.length > 5);
  for (const link of links) assert.equal((await page.request.get(link)).status(), 200, link);
  await page.getByRole("link", { name: "All units" }).click();
  await page.waitForURL(front.url);
  for (const asked of page.asked) assert.ok(asked.startsWith(front.url), asked);
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("nothing moves for who wants no motion", async (t) => {
  const server = await units(["rack=smart1500lcd"]);
  t.after(() => server.stop());
  const moves = async (reducedMotion) => {
    const page = await open(browser, server.url, { reducedMotion });
    await shows(card(page, "rack").locator(".state"), "On line power");
    await drawn(page);
    const found = await page.evaluate(() => [...document.querySelectorAll("*")].filter((e) =>
      parseFloat(getComputedStyle(e).transitionDuration) > 0 ||
      getComputedStyle(e).animationName !== "none").length);
    await page.context().close();
    return found;
  };
  assert.ok(await moves("no-preference") > 0, "else this test is about nothing");
  assert.equal(await moves("reduce"), 0);
});

const long = "rack-in-the-basement-of-the-old-building_behind.the.second.door";
for (const width of [320, 390]) {
  test(`nothing is cut off at ${width} columns`, async (t) => {
    const server = await units(
      [`${long}=smart1500lcdt`, "desk=smart1500lcd", "attic=omni900lcd"], "-past");
    t.after(() => server.stop());
    await server.do("fail desk");
    await server.do("low desk");
    await server.do("flag desk NeedReplacement 1");
    await server.do("unplug attic");
    const page = await open(browser, server.url, { viewport: { width, height: 844 } });
    const fits = async (what) => assert.deepEqual(await page.evaluate(() => {
      const wide = document.documentElement.clientWidth;
      // Tables that do not fit are scrolled in their own box.
      return [...document.body.querySelectorAll("*")].filter((e) =>
        !e.closest(".scroll, .unseen, .skip, svg") && e.getClientRects().length > 0 &&
        (e.getBoundingClientRect().right > wide + 0.5 || e.getBoundingClientRect().left < -0.5))
        .map((e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`)
        .concat(document.documentElement.scrollWidth > wide ? ["the page scrolls"] : []);
    }), [], what);
    await shows(card(page, "desk").locator(".alerts"), "Replace battery");
    await shows(card(page, "attic").locator(".state"), "Lost");
    await fits("all units");
    await card(page, long).getByRole("link").click();
    await drawn(page);
    await page.locator("#readings summary").click();
    await fits("one unit");
    await page.context().close();
  });
}

test("times are those of the visitor's time zone", async (t) => {
  const server = await units(["rack=smart1500lcd"], "-past");
  t.after(() => server.stop());
  const began = async (timezoneId) => {
    const page = await open(browser, server.url, { timezoneId });
    await drawn(page);
    const said = await page.getByRole("region", { name: "Outages" }).locator("tbody th")
      .first().innerText();
    await page.context().close();
    return said.slice(-8);
  };
  const utc = await began("UTC"), there = await began("Asia/Kathmandu"); // 5 h 45 min ahead
  const seconds = (text) => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  assert.equal((seconds(there) - seconds(utc) + 86400) % 86400, (5 * 60 + 45) * 60,
    `${utc} and ${there}`);
});

test("without a unit the page says so, and shows one that comes later", async (t) => {
  const server = await units(["+rack=smart1500lcd", "+desk=omni900lcd"]);
  t.after(() => server.stop());
  const page = await open(browser, server.url);
  await shows(page.locator("#notice"), "No UPS is attached.");
  assert.equal(await page.locator("article").count(), 0);
  await server.do("come desk");
  await shows(card(page, "desk").locator(".state"), "On line power");
  assert.ok(await page.locator("#notice").isHidden());
  await server.do("come rack");
  await shows(card(page, "rack").locator(".state"), "On line power");
  assert.deepEqual(await page.locator("article h2").allInnerTexts(), ["rack", "desk"]);
  await page.context().close();
});
