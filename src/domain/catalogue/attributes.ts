import { z } from 'zod'
import { cleanName } from '../../lib/text.ts'

const MAX_ATTRIBUTES = 30

/** Headings under which people write the same thing; others keep their own name. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  rooms: ['rooms', 'room', 'bedrooms', 'חדרים', 'מספר חדרים', 'מס׳ חדרים', "מס' חדרים", 'כמות חדרים'],
  area: [
    ...['area', 'region', 'city', 'town', 'location', 'neighborhood', 'neighbourhood'],
    ...['אזור', 'איזור', 'עיר', 'יישוב', 'ישוב', 'שכונה', 'מיקום'],
  ],
  size: ['size', 'sqm', 'm2', 'square meters', 'square metres', 'גודל', 'שטח', 'מ״ר', 'מ"ר', 'מטר', 'מטרים'],
  floor: ['floor', 'קומה'],
  year: ['year', 'model year', 'שנה', 'שנתון', 'שנת ייצור'],
  mileage: ['mileage', 'km', 'kilometers', 'ק״מ', 'ק"מ', 'קילומטראז׳', "קילומטראז'", 'קילומטרים'],
}
const BY_HEADING = new Map(Object.entries(SAME).flatMap(([name, headings]) => headings.map((each) => [each, name])))

/** What an attribute is called, whatever a file calls it. */
export function attributeName(heading: string): string {
  const plain = cleanName(heading).trim().replace(/\s+/g, ' ').toLowerCase()
  return BY_HEADING.get(plain) ?? plain
}

/** A number where the value is one: `3.5`, `1,200`, `85 מ״ר`. */
export function attributeValue(written: string): string | number {
  const text = cleanName(written).trim()
  const number = /^(-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?)(?:\s*(?:מ["״]ר|ק["״]מ|sqm|m2|m²|km))?$/i.exec(text)
  return number?.[1] && text.length <= 20 ? Number(number[1].replaceAll(',', '')) : text
}

/** What an item has beside its name and price, such as area, rooms, size: numbers where they are numbers. */
export const attributes = z
  .record(z.string().trim().min(1).max(60), z.union([z.string().max(500), z.number()]))
  .refine((all) => Object.keys(all).length <= MAX_ATTRIBUTES, `An item has at most ${MAX_ATTRIBUTES} attributes.`)
  .overwrite((all) =>
    Object.fromEntries(
      Object.entries(all).flatMap(([name, value]) => {
        const known = typeof value === 'string' ? attributeValue(value) : value
        return known === '' ? [] : [[attributeName(name), known]]
      }),
    ),
  )
