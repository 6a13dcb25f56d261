import { escapeHtml } from '../../lib/escape/markup.ts'
import { cutText } from '../../lib/text.ts'
import type { Composed } from './compose.ts'
import { type Language, WORDS } from './texts.ts'

/** What a service worker shows. `url` is relative to the console. */
export type Notification = { title: string; body: string; lang: Language; dir: 'rtl' | 'ltr'; tag: string; url: string }

/** @param showWords whether a locked screen may show what was written or said */
export function toNotification(language: Language, composed: Composed, url: string, showWords: boolean): Notification {
  const { title, lines, words, tag } = composed
  return {
    title,
    body: [...lines, ...(showWords && words ? [words.trim()] : [])].join('\n'),
    lang: language,
    dir: language === 'he' ? 'rtl' : 'ltr',
    tag,
    url,
  }
}

/** U+2066 and U+2069 keep a number in its order between Hebrew words (Unicode Bidirectional Algorithm, isolates). */
const [ISOLATE, END] = ['\u2066', '\u2069']

/** A message as text: title, lines, what was said, a link. */
export function toText(
  language: Language,
  composed: Composed,
  link: string,
  options: { max: number; hint?: boolean },
): string {
  const { title, lines, words } = composed
  const body = [title, ...lines.map(isolateNumbers), ...(words ? [`“${words}”`] : [])].join('\n')
  const tail = [link, ...(options.hint ? [WORDS[language].reply] : [])].join('\n')
  return `${cutText(body, Math.max(0, options.max - tail.length - 2))}\n\n${tail}`
}

function isolateNumbers(line: string): string {
  return line.replace(/\+?\d[\d\s().-]{5,}\d/g, (number) => `${ISOLATE}${number}${END}`)
}

/** A mail in both forms. Direction and style are on each element: clients drop those of the page. */
export function toMail(
  language: Language,
  composed: Composed,
  options: { link: string; settings: string; unsubscribe: string; business: string },
): { subject: string; text: string; html: string } {
  const words = WORDS[language]
  const { title, lines, phone } = composed
  const [dir, side] = language === 'he' ? ['rtl', 'right'] : ['ltr', 'left']
  const first = lines[0]
  const subject = cutText([title, ...(first ? [isolateNumbers(first)] : [])].join(': ').replace(/\s+/g, ' '), 150)
  const block = (html: string, style = '') =>
    `<p dir="${dir}" style="margin:0 0 14px;text-align:${side};${style}">${html}</p>`
  const said = composed.words
    ? `<p dir="auto" style="margin:0 0 14px;padding:10px 14px;border-inline-start:4px solid #1a6b4a;background:#f3f6f4;white-space:pre-wrap">${escapeHtml(composed.words)}</p>`
    : ''
  const call = phone
    ? block(`<a href="tel:${escapeHtml(phone)}" style="color:#1a6b4a"><bdi dir="ltr">${escapeHtml(phone)}</bdi></a>`)
    : ''
  const button = `<a href="${escapeHtml(options.link)}" style="display:inline-block;padding:10px 18px;border-radius:8px;background:#1a6b4a;color:#ffffff;text-decoration:none">${escapeHtml(words.open)}</a>`
  const small = 'font-size:13px;color:#5f6368'
  const html = `<!doctype html>
<html lang="${language}" dir="${dir}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(subject)}</title></head>
<body dir="${dir}" style="margin:0;padding:0;text-align:${side};font-family:Arial,sans-serif;font-size:16px;line-height:1.5;color:#1d1f23;background:#ffffff">
<table role="presentation" dir="${dir}" width="100%" cellpadding="0" cellspacing="0"><tr><td dir="${dir}" style="padding:24px;text-align:${side}">
<h1 dir="${dir}" style="margin:0 0 14px;font-size:20px;text-align:${side}">${escapeHtml(title)}</h1>
${lines.map((line) => block(numbersInHtml(line))).join('\n')}
${said}${call}
${block(button)}
${block(escapeHtml(words.footer(options.business)), small)}
${block(`<a href="${escapeHtml(options.settings)}" style="color:#5f6368">${escapeHtml(words.settings)}</a> · <a href="${escapeHtml(options.unsubscribe)}" style="color:#5f6368">${escapeHtml(words.unsubscribe)}</a>`, small)}
</td></tr></table>
</body>
</html>
`
  const text = [
    title,
    ...lines.map(isolateNumbers),
    ...(composed.words ? [composed.words] : []),
    ...(phone ? [isolateNumbers(phone)] : []),
    `${words.open}: ${options.link}`,
    words.footer(options.business),
    `${words.settings}: ${options.settings}`,
    `${words.unsubscribe}: ${options.unsubscribe}`,
  ].join('\n\n')
  return { subject, text: `${text}\n`, html }
}

function numbersInHtml(line: string): string {
  return escapeHtml(line).replace(/\+?\d[\d\s().-]{5,}\d/g, (number) => `<bdi dir="ltr">${number}</bdi>`)
}

/** What is read out on the telephone. */
export function toSpeech(language: Language, composed: Composed): string {
  const { title, lines, words } = composed
  return [title, ...lines, ...(words ? [`${WORDS[language].said}: ${words}`] : [])].join('. ')
}
