import { z } from 'zod'

const jsonSchema = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
  allOf: z.array(z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).default([]),
  additionalProperties: z.unknown().optional(),
  propertyNames: z.unknown().optional(),
  items: z.unknown().optional(),
  prefixItems: z.array(z.unknown()).optional(),
})

const PRIMITIVES: Record<string, string> = {
  string: 'string',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  null: 'null',
}

/** A JSON schema as a TypeScript type, with line breaks indented by `indent`. */
export function typeOfSchema(schema: unknown, indent = ''): string {
  const given = jsonSchema.parse(schema)
  const each = (schemas: unknown[]) => schemas.map((one) => typeOfSchema(one, indent))
  if ('const' in given) return JSON.stringify(given.const)
  if (given.enum) return given.enum.map((value) => JSON.stringify(value)).join(' | ')
  const options = given.anyOf ?? given.oneOf
  if (options) return [...new Set(each(options))].join(' | ')
  if (given.allOf) return each(given.allOf).map(inParentheses).join(' & ')
  if (given.prefixItems) return `[${each(given.prefixItems).join(', ')}]`
  if (given.type === 'array') return `${inParentheses(typeOfSchema(given.items ?? {}, indent))}[]`
  if (given.type === 'object') return typeOfObject(given, indent)
  return (
    [given.type ?? []]
      .flat()
      .map((type) => PRIMITIVES[type] ?? 'unknown')
      .join(' | ') || 'unknown'
  )
}

function typeOfObject(given: z.output<typeof jsonSchema>, indent: string): string {
  const { properties, required, additionalProperties, propertyNames } = given
  if (properties && Object.keys(properties).length > 0) {
    const lines = Object.entries(properties).map(
      ([name, schema]) =>
        `${indent}  ${propertyName(name)}${required.includes(name) ? '' : '?'}: ${typeOfSchema(schema, `${indent}  `)}`,
    )
    return `{\n${lines.join('\n')}\n${indent}}`
  }
  const names = propertyNames === undefined ? 'string' : typeOfSchema(propertyNames, indent)
  const values = typeof additionalProperties === 'object' ? typeOfSchema(additionalProperties, indent) : 'unknown'
  return names === 'string' || required.length > 0
    ? `Record<${names}, ${values}>`
    : `Partial<Record<${names}, ${values}>>`
}

function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)
}

function inParentheses(type: string): string {
  return / [|&] /.test(type) ? `(${type})` : type
}
