import { expect, test } from "vitest";
test("empty", () => expect([].length).toBe(0));
