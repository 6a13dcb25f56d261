import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/max'

/**
 * A phone number in any spelling (`whatsapp:+972…`, `+972 50-…`, `050-…`) as E.164, or null when it is none.
 * @param country where a number without a country code is dialled from
 */
export function parsePhone(input: string, country: CountryCode = 'IL'): string | null {
  // Hebrew keyboards write the maqaf where others write a hyphen.
  const text = input
    .trim()
    .replace(/^whatsapp:/i, '')
    .replaceAll('\u05be', '-')
  const parsed = parsePhoneNumberFromString(text, country)
  return parsed?.isPossible() ? parsed.number : null
}

/** E.164 as people of its country write it (`050-123-4567`), for pages and terminals. */
export function formatPhone(e164: string): string {
  const parsed = parsePhoneNumberFromString(e164)
  if (!parsed) return e164
  return parsed.country === 'IL' ? parsed.formatNational() : parsed.formatInternational()
}
