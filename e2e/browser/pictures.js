// Takes the pictures of the documents: of a page that is served as in the tests.
import { card, launch, open, shows } from "./browser.js";
import { units } from "./server.js";

const into = new URL("../../docs/pictures/", import.meta.url).pathname;

const browser = await launch();
const server = await units(
  ["rack=smart1500lcd-520w", "desk=smart1500lcd", "lab=su1500rtxl2ua"], "-past");
for (const line of [
  "set rack output.load 22", "set rack output.power 198", "set rack time_to_empty 3960",
  "set rack battery.voltage 27.3", "flag rack Charging 0", "flag rack FullyCharged 1",
  "set desk health 71", "set desk time_to_empty 711",
]) await server.do(line);
const first = await open(browser, server.url);
await shows(card(first, "desk").locator(".state"), "On line power"); // before it fails
await first.context().close();
await server.do("fail desk");

const views = {
  async units(page) {
    await shows(card(page, "desk").locator(".state"), /On battery.*for ([4-9] s|\d\d s|\d+ min)/s);
  },
  async history(page) {
    await page.goto(server.url + "?unit=rack");
    await page.getByRole("region", { name: "Events" }).locator("tbody tr").first().waitFor();
  },
};
for (const [width, heights] of [[1280, { units: 640, history: 1060 }],
  [390, { units: 1240, history: 1240 }]]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [name, view] of Object.entries(views)) {
      const page = await open(browser, server.url,
        { viewport: { width, height: heights[name] }, colorScheme, reducedMotion: "reduce" });
      await view(page);
      await page.waitForTimeout(300); // the charts are drawn
      await page.screenshot({ path: `${into}${name}-${width}-${colorScheme}.png` });
      await page.context().close();
    }
  }
}
await browser.close();
await server.stop();
