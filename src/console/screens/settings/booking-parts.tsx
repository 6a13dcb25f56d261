import { type ReactNode, useId } from 'react'
import { queryClient } from '../../app/trpc.ts'

/** After a change of services, staff or how appointments are taken. */
export const bookingAgain = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['booking'] }) }

export const textOf = (form: FormData, name: string) => String(form.get(name) ?? '').trim()
export const numberOf = (form: FormData, name: string) => Number(form.get(name))

/** Shekels as they were typed, in agorot; null where nothing was. */
export function agorotOf(form: FormData, name: string): number | null {
  const text = textOf(form, name)
  return text === '' ? null : Math.round(Number(text) * 100)
}

/** One of a fixed list, as a `select` had it. */
export function choiceOf<T extends string>(values: readonly [T, ...T[]], wanted: string): T {
  return values.find((each) => each === wanted) ?? values[0]
}

export function Check({
  name,
  value,
  defaultChecked,
  children,
}: {
  name: string
  value?: string
  defaultChecked?: boolean
  children: ReactNode
}) {
  return (
    <label className="flex min-h-9 items-center gap-2">
      <input type="checkbox" name={name} value={value} defaultChecked={defaultChecked} className="size-4 shrink-0" />
      <span className="min-w-0">{children}</span>
    </label>
  )
}

/** What opens when there is need of it. */
export function Group({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) {
  const id = useId()
  return (
    <fieldset className="flex min-w-0 flex-col gap-2" aria-describedby={hint ? id : undefined}>
      <legend className="mb-1 font-medium">{title}</legend>
      {hint && (
        <p id={id} className="text-muted text-sm">
          {hint}
        </p>
      )}
      {children}
    </fieldset>
  )
}
