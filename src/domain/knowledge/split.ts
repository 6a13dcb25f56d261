/** In characters: what a model is shown of one hit, and what a person reads in a few lines. */
const CHUNK_CHARS = 900

export type Part = { title: string; body: string }

/**
 * A long text in parts that can be found and quoted alone: at headings (`#` of Markdown), then at paragraphs, then at sentences.
 * The title of a part is the title with the heading it stands under.
 */
export function splitText(title: string, text: string, maxChars = CHUNK_CHARS): Part[] {
  return sectionsOf(text).flatMap(({ heading, body }) =>
    piecesOf(body, maxChars).map((piece) => ({
      title: (heading && heading !== title ? `${title} · ${heading}` : title).slice(0, 300),
      body: piece,
    })),
  )
}

function sectionsOf(text: string): { heading: string; body: string }[] {
  const sections: { heading: string; body: string }[] = []
  let heading = ''
  let lines: string[] = []
  const close = () => {
    const body = lines.join('\n').trim()
    if (body) sections.push({ heading, body })
    lines = []
  }
  for (const line of text.replaceAll('\r\n', '\n').split('\n')) {
    const found = /^#{1,6}\s+(.{1,200})$/.exec(line)
    if (!found) {
      lines.push(line)
      continue
    }
    close()
    heading = (found[1] ?? '').replace(/[#\s]+$/, '')
  }
  close()
  return sections
}

function piecesOf(body: string, maxChars: number): string[] {
  const pieces: string[] = []
  let piece = ''
  const add = (part: string, glue: string) => {
    if (piece && piece.length + glue.length + part.length > maxChars) {
      pieces.push(piece)
      piece = ''
    }
    piece = piece ? piece + glue + part : part
  }
  for (const paragraph of body.split(/\n{2,}/)) {
    const text = paragraph.trim()
    if (!text) continue
    if (text.length <= maxChars) add(text, '\n\n')
    else
      for (const line of text.split('\n'))
        for (const [at, sentence] of sentencesOf(line, maxChars).entries()) add(sentence, at === 0 ? '\n' : ' ')
  }
  if (piece) pieces.push(piece)
  return pieces
}

function sentencesOf(line: string, maxChars: number): string[] {
  if (line.length <= maxChars) return [line]
  return line.split(/(?<=[.!?])\s+/u).flatMap((sentence) => {
    const cuts: string[] = []
    for (let at = 0; at < sentence.length; at += maxChars) cuts.push(sentence.slice(at, at + maxChars))
    return cuts
  })
}
