import { cutText } from '../../lib/text.ts'

/** How a field is read that a webhook can do without: what is no such value is dropped, what is too long is cut. */
export type SideField<Value> = (given: string) => { value: Value | null; odd: boolean }

/** A text of at most `max` characters. */
export function text(max: number): SideField<string> {
  return (given) => {
    const trimmed = given.trim()
    return { value: cutText(trimmed, max) || null, odd: trimmed.length > max }
  }
}

/** A whole number from 0 to `max`; a fraction is rounded. */
export function wholeNumber(max: number): SideField<number> {
  return (given) => {
    const trimmed = given.trim()
    if (trimmed === '') return { value: null, odd: false }
    const number = /^\d+(\.\d+)?$/.test(trimmed) ? Math.round(Number(trimmed)) : Number.NaN
    return number >= 0 && number <= max ? { value: number, odd: false } : { value: null, odd: true }
  }
}

type Values<Fields> = { [Name in keyof Fields]: Fields[Name] extends SideField<infer Value> ? Value | null : never }

/**
 * Reads the fields that a webhook can do without; none of them can make it fail.
 * @param onOdd told of each field whose value was cut or dropped, by its name
 */
export function readSideFields<Fields extends Record<string, SideField<unknown>>>(
  params: Readonly<Record<string, string>>,
  fields: Fields,
  onOdd: (name: string) => void,
): Values<Fields>
export function readSideFields(
  params: Readonly<Record<string, string>>,
  fields: Record<string, SideField<unknown>>,
  onOdd: (name: string) => void,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, read]) => {
      const { value, odd } = read((Object.hasOwn(params, name) ? params[name] : undefined) ?? '')
      if (odd) onOdd(name)
      return [name, value]
    }),
  )
}
