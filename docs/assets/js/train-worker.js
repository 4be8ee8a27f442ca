// Trains beside the page, which stays free to draw and to answer. Each message asks for some steps and gets one reply:
// {settings, start} begins anew; then {steps, milliseconds} trains until one of the two is used up.
import { training } from "./training.js";

let current;

addEventListener("message", ({ data: { run, settings, start, steps, milliseconds } }) => {
  if (settings) current = training(settings, start);
  const results = [];
  const began = performance.now();
  while (results.length < steps && performance.now() - began < milliseconds) results.push(current.step());
  const took = performance.now() - began;
  postMessage({ run, results, took, ...current.look() });
});
