/**
 * Returns the texts of the page whose contrast is below WCAG 2.1 AA (1.4.3): 4.5, or 3 for large text.
 * Leaves out what is hidden, disabled, or drawn by another element (transparent text).
 */
const part = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const luminance = ([r, g, b]) => 0.2126 * part(r / 255) + 0.7152 * part(g / 255) + 0.0722 * part(b / 255);
const parse = (text) => {
  const numbers = text.match(/[\d.]+/g).map(Number);
  const scale = text.startsWith("color(") ? 255 : 1;
  return { colour: numbers.slice(0, 3).map((number) => number * scale), alpha: numbers[3] ?? 1 };
};
const over = (top, alpha, below) => top.map((value, i) => value * alpha + below[i] * (1 - alpha));
const background = (element) => {
  if (!element) return [255, 255, 255];
  const { colour, alpha } = parse(getComputedStyle(element).backgroundColor);
  return alpha === 1 ? colour : over(colour, alpha, background(element.parentElement));
};
const opacity = (element) => (element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1);

const poor = [];
let count = 0;
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  const text = own ? element.textContent.trim() : (element.value ?? "");
  const style = getComputedStyle(element);
  const { colour, alpha } = parse(style.color);
  if (!text || alpha === 0 || element.closest(".unseen, .skip, option, :disabled, noscript") || !element.checkVisibility({ visibilityProperty: true })) continue;
  const below = background(element);
  const [light, dark] = [over(colour, alpha * opacity(element), below), below].map(luminance).sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  count += 1;
  if (ratio < (large ? 3 : 4.5)) poor.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
}
return { count, poor };
