// Texts that are shown as code: JSON as it came, and differences between two texts.

import { element } from "./dom.js";

const tokens = /"(?:[^"\\]|\\.)*"?|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]|\s+|./gsu;

// formatted returns JSON with line breaks and colours. Every token stays as the server wrote it, so that
// 12.0 is not made 12; what has no end is shown as far as it goes.
export function formatted(json) {
  const parts = [];
  let depth = 0;
  const line = () => parts.push("\n" + "  ".repeat(depth));
  const list = json.match(tokens)?.filter((token) => token.trim() !== "") || [];
  list.forEach((token, i) => {
    const next = list[i + 1];
    switch (token) {
      case "{": case "[":
        parts.push(token);
        if (next !== "}" && next !== "]") {
          depth++;
          line();
        }
        break;
      case "}": case "]":
        if (list[i - 1] !== "{" && list[i - 1] !== "[") {
          depth = Math.max(0, depth - 1);
          line();
        }
        parts.push(token);
        break;
      case ",":
        parts.push(token);
        line();
        break;
      case ":":
        parts.push(": ");
        break;
      default: {
        const kind = token[0] === '"' ? (next === ":" ? "key" : "string") : /[-\d]/.test(token[0]) ? "number" : "word";
        parts.push(element("span", { class: kind }, token.length > 400 ? token.slice(0, 400) + " …" : token));
      }
    }
  });
  return parts;
}

// difference returns the lines of two texts as [sign, line], where the sign is " ", "-" or "+".
export function difference(before, after) {
  const a = before === "" ? [] : before.replace(/\n$/, "").split("\n");
  const b = after === "" ? [] : after.replace(/\n$/, "").split("\n");
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const lines = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push([" ", a[i++]]);
      j++;
    } else if (i < a.length && (j === b.length || common[i + 1][j] >= common[i][j + 1])) {
      lines.push(["-", a[i++]]);
    } else {
      lines.push(["+", b[j++]]);
    }
  }
  return lines;
}

// shell puts a text into double quotes for a shell.
export const shell = (text) => '"' + text.replace(/[\\"$`!]/g, "\\$&") + '"';
