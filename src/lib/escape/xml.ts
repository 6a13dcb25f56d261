/** What XML 1.0 (2.2, Char) allows in no form: one of these, and the reader refuses the whole document. */
const NO_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu

/** A text, or a whole document, without the characters that XML does not know; markup is the serializer's to escape. */
export function xmlCharacters(text: string): string {
  return text.replace(NO_XML, '')
}
