import { cutText } from '../../../lib/text.ts'

/** How an optional field of a webhook is read: an unusable value is dropped, a long one is cut; `odd` says that it was. */
export type SideField<Value> = (given: string) => { value: Value | null; odd: boolean }

export function text(max: number): SideField<string> {
  return (given) => {
    const trimmed = given.trim()
    return { value: cutText(trimmed, max) || null, odd: trimmed.length > max }
  }
}

export function wholeNumber(max: number): SideField<number> {
  return (given) => {
    const trimmed = given.trim()
    if (trimmed === '') return { value: null, odd: false }
    const number = /^\d+(\.\d+)?$/.test(trimmed) ? Math.round(Number(trimmed)) : Number.NaN
    return number >= 0 && number <= max ? { value: number, odd: false } : { value: null, odd: true }
  }
}

export type SideFieldValues<Fields> = {
  [Name in keyof Fields]: Fields[Name] extends SideField<infer Value> ? Value | null : never
}

/** Reads optional fields, which never fail; `onOdd` gets the name of each that was cut or dropped. */
export function readSideFields<Fields extends Record<string, SideField<unknown>>>(
  params: Readonly<Record<string, string>>,
  fields: Fields,
  onOdd: (name: string) => void,
): SideFieldValues<Fields>
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
