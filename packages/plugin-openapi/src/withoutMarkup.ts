/**
 * Descriptions as models read them: HTML tags, which say nothing to them, and needless space are left out.
 *
 * Only known tags are taken out, so that `List<string>` keeps its meaning. Markdown stays.
 */

/** The text without HTML tags, trailing space and runs of blank lines. */
export const withoutMarkup = (text: string): string =>
  (text.includes("<") ? text.replaceAll(htmlTag, "") : text)
    .split(/\r\n?|\n/)
    .map((line) => line.trimEnd())
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim()

const htmlTag =
  /<\/?(a|b|blockquote|br|caution|code|dd|div|dl|dt|em|fullname|h[1-6]|hr|i|img|important|li|note|ol|p|pre|small|span|strong|table|tbody|td|th|thead|tr|u|ul)(\s[^<>]*)?\/?>/gi
