import { useMutation } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, type Out, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Problem } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { Popup } from '../ui/popup.tsx'

export type Contact = Out<'contacts.get'>
type OwnField = { key: string; name: string; value: string }

/** Makes a contact, or changes one: its fields, its tags, and the fields that the business gave it itself. */
export function ContactForm({
  contact,
  given = {},
  onClose,
}: {
  contact: Contact | null
  given?: { phone?: string | undefined; name?: string | undefined }
  onClose(saved: Contact | null): void
}) {
  const t = useTranslations()
  const [fields, setFields] = useState({
    name: contact?.name ?? given.name ?? '',
    phone: contact?.phone ?? given.phone ?? '',
    email: contact?.email ?? '',
    tags: contact?.tags.join(', ') ?? '',
  })
  const [own, setOwn] = useState<OwnField[]>(() => ownFieldsOf(contact))
  const id = useRef<string>(contact?.id ?? crypto.randomUUID())
  const save = useMutation({
    mutationFn: () => saveContact(contact, id.current, fields, own),
    onSuccess: (saved) => {
      void queryClient.invalidateQueries({ queryKey: ['contacts'] })
      void queryClient.invalidateQueries({ queryKey: ['search'] })
      onClose(saved)
    },
  })
  const set = (by: Partial<typeof fields>) => setFields((old) => ({ ...old, ...by }))
  return (
    <Popup title={contact ? t('contact.edit') : t('contact.create')} isOpen onClose={() => onClose(null)}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault()
          save.mutate()
        }}
      >
        <Field label={t('contact.name')}>
          {(className) => (
            <input
              dir="auto"
              maxLength={200}
              value={fields.name}
              onChange={({ target }) => set({ name: target.value })}
              className={className}
            />
          )}
        </Field>
        <Field label={t('contact.phone')}>
          {(className) => (
            <input
              dir="ltr"
              type="tel"
              value={fields.phone}
              onChange={({ target }) => set({ phone: target.value })}
              className={`${className} text-end`}
            />
          )}
        </Field>
        <Field label={t('contact.email')}>
          {(className) => (
            <input
              dir="ltr"
              type="email"
              value={fields.email}
              onChange={({ target }) => set({ email: target.value })}
              className={`${className} text-end`}
            />
          )}
        </Field>
        <Field label={t('contact.tags')} hint={t('contact.tagsHint')}>
          {(className) => (
            <input
              dir="auto"
              value={fields.tags}
              onChange={({ target }) => set({ tags: target.value })}
              className={className}
            />
          )}
        </Field>
        <OwnFields own={own} onChange={setOwn} />
        <Problem error={save.error} />
        <Act type="submit" look="main" isDisabled={save.isPending || (!fields.name.trim() && !fields.phone.trim())}>
          {t('state.save')}
        </Act>
      </form>
    </Popup>
  )
}

function OwnFields({ own, onChange }: { own: OwnField[]; onChange(own: OwnField[]): void }) {
  const t = useTranslations('contact')
  const set = (key: string, by: Partial<OwnField>) =>
    onChange(own.map((field) => (field.key === key ? { ...field, ...by } : field)))
  const look = 'min-w-0 flex-1 rounded-lg border border-line bg-page px-3 py-2'
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 font-medium">{t('ownFields')}</legend>
      {own.map((field) => (
        <div key={field.key} className="flex gap-2">
          <input
            dir="auto"
            aria-label={t('fieldName')}
            placeholder={t('fieldName')}
            maxLength={64}
            value={field.name}
            onChange={({ target }) => set(field.key, { name: target.value })}
            className={look}
          />
          <input
            dir="auto"
            aria-label={t('fieldValue', { name: field.name })}
            placeholder={t('fieldValue', { name: field.name })}
            maxLength={2_000}
            value={field.value}
            onChange={({ target }) => set(field.key, { value: target.value })}
            className={look}
          />
          <Act
            look="quiet"
            aria-label={t('removeField', { name: field.name })}
            onPress={() => onChange(own.filter(({ key }) => key !== field.key))}
          >
            <Icon name="cross" />
          </Act>
        </div>
      ))}
      <Act className="self-start" onPress={() => onChange([...own, { key: crypto.randomUUID(), name: '', value: '' }])}>
        {t('addField')}
      </Act>
    </fieldset>
  )
}

function ownFieldsOf(contact: Contact | null): OwnField[] {
  return Object.entries(contact?.custom ?? {}).map(([name, value]) => ({ key: name, name, value: String(value ?? '') }))
}

/** A field that was not touched keeps its type; the others are texts. */
async function saveContact(
  contact: Contact | null,
  id: string,
  fields: { name: string; phone: string; email: string; tags: string },
  own: OwnField[],
): Promise<Contact> {
  const before = contact?.custom ?? {}
  const named = own.filter(({ name }) => name.trim() !== '')
  const custom: Record<string, string | number | boolean | null> = Object.fromEntries(
    named.map(({ name, value }) => [
      name.trim(),
      String(before[name] ?? '') === value ? (before[name] ?? value) : value,
    ]),
  )
  const tags = [...new Set(fields.tags.split(',').map((tag) => tag.trim()))].filter((tag) => tag !== '')
  const columns = {
    name: fields.name.trim() || null,
    phone: fields.phone.trim() || null,
    email: fields.email.trim() || null,
  }
  if (!contact) return await mutation('contacts.create').mutationFn({ id, ...columns, tags, custom })
  for (const name of Object.keys(before)) if (!(name in custom)) custom[name] = null
  await mutation('contacts.update').mutationFn({ id, ...columns, custom })
  const add = tags.filter((tag) => !contact.tags.includes(tag))
  const remove = contact.tags.filter((tag) => !tags.includes(tag))
  return await mutation('contacts.tag').mutationFn({ id, add, remove })
}
