import { Unreadable } from '../unreadable.ts'
import type { PdfRun } from './pdf-columns.ts'
import { textOfPage } from './pdf-lines.ts'

export const MAX_PDF_PAGES = 200

/** The text of a PDF, a blank line between pages. `cut`: only its first pages were read. @throws Unreadable `encrypted`, `broken`, `no_text` */
export async function readPdf(bytes: Uint8Array): Promise<{ text: string; pages: number; cut: boolean }> {
  const { getDocumentProxy } = await import('unpdf')
  const pdf = await getDocumentProxy(bytes, { verbosity: 0 }).catch((error: unknown) => {
    const locked = error instanceof Error && error.name === 'PasswordException'
    throw new Unreadable(locked ? 'encrypted' : 'broken', 'The PDF cannot be opened.')
  })
  const pages = Math.min(pdf.numPages, MAX_PDF_PAGES)
  const texts: string[] = []
  let failed = 0
  for (let number = 1; number <= pages; number += 1) {
    try {
      texts.push(textOfPage(await runsOf(await pdf.getPage(number))))
    } catch {
      failed += 1
    }
  }
  const text = texts.join('\n\n')
  if (text.trim() === '') throw new Unreadable(failed > 0 ? 'broken' : 'no_text')
  return { text, pages: pdf.numPages, cut: pdf.numPages > pages || failed > 0 }
}

type Page = Awaited<ReturnType<Awaited<ReturnType<typeof import('unpdf').getDocumentProxy>>['getPage']>>

async function runsOf(page: Page): Promise<PdfRun[]> {
  const { items } = await page.getTextContent()
  page.cleanup()
  return items.flatMap((item) => {
    if (!('str' in item)) return []
    const [, , , , x, y]: unknown[] = item.transform
    return typeof x === 'number' && typeof y === 'number'
      ? [{ str: item.str, dir: item.dir, x, y, width: item.width, height: item.height }]
      : []
  })
}
