import { expect, test, vi } from "vitest";
import { guardLocale } from "./locale";

function navigatorWith(language: string | undefined): Navigator {
  return Object.create({ language, languages: language ? [language] : [] });
}

test("the locale of a container does not leave the window blank", () => {
  const navigator = navigatorWith("C");
  expect(() => new Intl.NumberFormat(navigator.language)).toThrow();
  expect(guardLocale(navigator)).toBe(true);
  expect(navigator.language).toBe("en-US");
  expect(() => new Intl.NumberFormat(navigator.language)).not.toThrow();
});

test("a missing language is guarded too, and a good one is kept", () => {
  expect(guardLocale(navigatorWith(undefined))).toBe(true);
  const german = navigatorWith("de-DE");
  expect(guardLocale(german)).toBe(false);
  expect(german.language).toBe("de-DE");
});

test("the chart library loads once the guard has run", async () => {
  Object.defineProperty(navigator, "language", { value: "C", configurable: true });
  vi.stubGlobal("matchMedia", () => ({
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }));
  guardLocale();
  vi.resetModules();
  await expect(import("uplot")).resolves.toHaveProperty("default");
  Reflect.deleteProperty(navigator, "language");
  vi.unstubAllGlobals();
});
