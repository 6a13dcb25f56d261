import {
  ALIKE_WEIGHT,
  conceptsOf,
  isAlike,
  normal,
  proofOf,
  tokensIn,
  tokensOf,
  wordsOfQuestion,
} from './search-words.ts'

type Searched = { title: string; body: string }

const TITLE_WEIGHT = 1.6
/** Between two breaths of the event loop: calls are served by the same process. */
const SLICE_MS = 4
/** Shorter words resemble too many others. */
const MIN_ALIKE = 5
const MAX_ALIKE = 8

/**
 * Texts by their tokens. A posting is a text's number, doubled, with 1 added where the title has the token. A text counts for each
 * concept of a question by the best token that it has, weighted by the token's rarity.
 */
export class SearchIndex<T extends Searched> {
  readonly #postings = new Map<string, Uint32Array>()
  #vocabulary: string[] | null = null

  private constructor(readonly texts: readonly T[]) {}

  /** Indexes texts in slices of a few milliseconds: the process goes on meanwhile. */
  static async of<T extends Searched>(texts: readonly T[]): Promise<SearchIndex<T>> {
    const index = new SearchIndex(texts)
    const lists = new Map<string, number[]>()
    let sliceEnds = performance.now() + SLICE_MS
    for (const [number, text] of texts.entries()) {
      addText(lists, number, text)
      if (performance.now() > sliceEnds) {
        await new Promise((resolve) => setImmediate(resolve))
        sliceEnds = performance.now() + SLICE_MS
      }
    }
    return index.#fill(lists)
  }

  /** The same at once, for a few texts. */
  static ofFew<T extends Searched>(texts: readonly T[]): SearchIndex<T> {
    const lists = new Map<string, number[]>()
    for (const [number, text] of texts.entries()) addText(lists, number, text)
    return new SearchIndex(texts).#fill(lists)
  }

  #fill(lists: ReadonlyMap<string, number[]>): this {
    for (const [token, list] of lists) this.#postings.set(token, Uint32Array.from(list))
    return this
  }

  /** How many postings it holds: 4 bytes each. */
  get size(): number {
    let size = 0
    for (const list of this.#postings.values()) size += list.length
    return size
  }

  /** The texts that answer a question, best first; `share` is how much of the question each proves, from 0 to 1. */
  search(question: string, limit: number): { text: T; share: number }[] {
    const concepts = conceptsOf(question)
    const sums = new Sums(this.texts.length)
    for (const { words, tokens } of concepts)
      this.#score([...tokens, ...words.flatMap((word) => this.#alike(word))], sums)
    return sums.best(limit).flatMap((number) => {
      const text = this.texts[number]
      return text ? [{ text, share: sums.shareOf(number, concepts.length) }] : []
    })
  }

  #score(tokens: readonly (readonly [string, number])[], sums: Sums): void {
    for (const [token, weight] of tokens) {
      const postings = this.#postings.get(token)
      if (postings) sums.add(postings, weight, proofOf(token))
    }
    sums.endConcept()
  }

  /** Words of the texts that differ from one of the question, which no text has, by a typing error. */
  #alike(word: string): [string, number][] {
    if (word.length < MIN_ALIKE || /\d/.test(word)) return []
    const tokens = [...tokensOf(word).keys()]
    if (tokens.some((token) => !/^[pr]/.test(token) && this.#postings.has(token))) return []
    const bases = tokens.filter((token) => /^[=b]/.test(token)).map((token) => token.slice(1))
    const asked = [...new Set(bases)].filter((base) => base.length >= MIN_ALIKE)
    this.#vocabulary ??= [...this.#postings.keys()].filter((token) => /^[=b]/.test(token) && token.length > MIN_ALIKE)
    const found: [string, number][] = []
    for (const token of this.#vocabulary) {
      const own = token.slice(1)
      if (asked.some((base) => isAlike(base, own))) found.push([token, ALIKE_WEIGHT])
      if (found.length >= MAX_ALIKE) break
    }
    return found
  }
}

/** What the concepts of a question come to, by the number of a text. */
class Sums {
  readonly #scores: Float64Array
  readonly #proven: Float64Array
  /** What a question is worth in whole differs by text: a word counts as rare as the token by which the text has it. */
  readonly #whole: Float64Array
  readonly #worth: Float64Array
  readonly #proof: Float64Array
  readonly #rarity: Float64Array
  readonly #unknown: number
  #here: number[] = []

  constructor(private readonly count: number) {
    const fresh = () => new Float64Array(count)
    ;[this.#scores, this.#proven, this.#whole] = [fresh(), fresh(), fresh()]
    ;[this.#worth, this.#proof, this.#rarity] = [fresh(), fresh(), fresh()]
    this.#unknown = rarityOf(0, count)
  }

  add(postings: Uint32Array, weight: number, proof: number): void {
    const rarity = rarityOf(postings.length, this.count)
    for (const posting of postings) {
      const number = posting >> 1
      const worth = weight * rarity * (posting & 1 ? TITLE_WEIGHT : 1)
      const before = this.#worth[number] ?? 0
      if (before === 0) this.#here.push(number)
      if (worth > before) this.#worth[number] = worth
      if (proof > (this.#proof[number] ?? 0)) {
        this.#proof[number] = proof
        this.#rarity[number] = rarity
      }
    }
  }

  endConcept(): void {
    for (const number of this.#here) {
      const rarity = this.#rarity[number] ?? 0
      this.#scores[number] = (this.#scores[number] ?? 0) + (this.#worth[number] ?? 0)
      this.#proven[number] = (this.#proven[number] ?? 0) + rarity * (this.#proof[number] ?? 0)
      this.#whole[number] = (this.#whole[number] ?? 0) + rarity - this.#unknown
      this.#worth[number] = 0
      this.#proof[number] = 0
    }
    this.#here = []
  }

  best(limit: number): number[] {
    const best: number[] = []
    for (const [number, score] of this.#scores.entries()) {
      if (score === 0 || (best.length === limit && score <= (this.#scores[best.at(-1) ?? 0] ?? 0))) continue
      const at = best.findIndex((other) => score > (this.#scores[other] ?? 0))
      best.splice(at === -1 ? best.length : at, 0, number)
      if (best.length > limit) best.pop()
    }
    return best
  }

  shareOf(number: number, concepts: number): number {
    const all = (this.#whole[number] ?? 0) + concepts * this.#unknown
    return all > 0 ? (this.#proven[number] ?? 0) / all : 0
  }
}

function addText(lists: Map<string, number[]>, number: number, text: Searched): void {
  const title = tokensIn(text.title)
  const add = (token: string, posting: number) => {
    const list = lists.get(token)
    if (list) list.push(posting)
    else lists.set(token, [posting])
  }
  for (const token of title) add(token, number * 2 + 1)
  for (const token of tokensIn(text.body)) if (!title.has(token)) add(token, number * 2)
}

/** As in BM25: near 0 for what all texts have. */
function rarityOf(count: number, texts: number): number {
  return Math.log(1 + (texts - count + 0.5) / (count + 0.5))
}

/** A few texts that answer a question, best first, with how much of it each proves, from 0 to 1. */
export function scoreTexts<T extends Searched>(texts: readonly T[], question: string): { text: T; share: number }[] {
  return SearchIndex.ofFew(texts).search(question, texts.length)
}

/** Whether a text has each of these words, in any form. */
export function hasWordsOf(text: string, words: string): boolean {
  const asked = wordsOfQuestion(words)
  const written = new Set(normal(text))
  return asked.every((word) => {
    const wanted = tokensOf(word)
    const isSame = (token: string) => (/^[=bs]/.test(token) || /^k..../.test(token)) && wanted.has(token)
    return written.has(word) || [...written].some((each) => tokensOf(each).keys().some(isSame))
  })
}
