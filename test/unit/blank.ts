/**
 * Blanks out what is not code: comments and the insides of strings, templates and regular expressions.
 * Always true: the result has the length and the line ends of the text, and its quotes stay in place.
 * It is a scanner, not a parser: a slash opens a regular expression unless a value stands before it.
 */
export function blank(text: string): { code: string; complete: boolean } {
  const out = text.split('');
  const hide = (from: number, to: number) => {
    for (let i = from; i < to && i < out.length; i++) if (out[i] !== '\n') out[i] = ' ';
  };
  /** For each open `${`, the number of braces open inside of it. */
  const templates: number[] = [];
  let last = '';
  let complete = true;
  let at = 0;

  const template = (from: number): number => {
    let i = from;
    while (i < text.length && text[i] !== '`' && !(text[i] === '$' && text[i + 1] === '{')) {
      i += text[i] === '\\' ? 2 : 1;
    }
    hide(from, i);
    if (i >= text.length) complete = false;
    if (text[i] === '$') templates.push(0);
    return text[i] === '$' ? i + 2 : i + 1;
  };

  while (at < text.length) {
    const c = text[at]!;
    const start = at;
    if (/\s/.test(c)) {
      at += 1;
      continue;
    }
    if (text.startsWith('//', at)) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
      hide(start, at);
      continue;
    }
    if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at + 2);
      if (end < 0) complete = false;
      at = end < 0 ? text.length : end + 2;
      hide(start, at);
      continue;
    }
    if (c === "'" || c === '"') {
      at = skip(text, at + 1, (d) => d === c || d === '\n');
      if (text[at] !== c) complete = false;
      hide(start + 1, at);
      at += 1;
    } else if (c === '`') {
      at = template(at + 1);
      last = text[at - 1] === '`' ? '`' : '{';
      continue;
    } else if (c === '}' && templates.at(-1) === 0) {
      templates.pop();
      at = template(at + 1);
      last = text[at - 1] === '`' ? '`' : '{';
      continue;
    } else if (c === '/' && opensRegex(last)) {
      let inClass = false;
      at = skip(text, at + 1, (d) => {
        if (d === '[') inClass = true;
        if (d === ']') inClass = false;
        return d === '\n' || (d === '/' && !inClass);
      });
      hide(start + 1, at);
      at += 1;
    } else if (/[\w$]/.test(c)) {
      while (at < text.length && /[\w$]/.test(text[at]!)) at += 1;
    } else {
      if (templates.length > 0 && c === '{') templates[templates.length - 1]! += 1;
      if (templates.length > 0 && c === '}') templates[templates.length - 1]! -= 1;
      at += 1;
    }
    last = text.slice(start, at);
  }
  return { code: out.join(''), complete: complete && templates.length === 0 };
}

function skip(text: string, from: number, ends: (c: string) => boolean): number {
  let i = from;
  while (i < text.length && !ends(text[i]!)) i += text[i] === '\\' ? 2 : 1;
  return i;
}

function opensRegex(last: string): boolean {
  if (/^(?:return|typeof|case|in|of|do|else|void|delete|throw|new|yield|await)$/.test(last)) return true;
  return last === '' || (!/[\w$)\]}`'"]$/.test(last) && !last.endsWith('/'));
}
