import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { mutation, type Out, pages, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { More } from '../../ui/more.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { isolated, Money } from '../../ui/values.tsx'
import { agorotOf, choiceOf, Group, textOf } from './booking-parts.tsx'
import { CatalogueImport } from './catalogue-import.tsx'

type Item = Out<'catalogue.list'>['items'][number]
const STATES = ['available', 'reserved', 'sold', 'hidden'] as const
const CURRENCIES = ['ILS', 'USD', 'EUR'] as const
/** Those that have a name of their own in both languages. */
const NAMED = ['rooms', 'area', 'size', 'floor', 'year', 'mileage'] as const
const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['catalogue'] }) }

/** What the business offers one by one, for the agent to name and to show. */
export function CatalogueSettings() {
  const t = useTranslations('catalogue')
  const { may } = useAccess()
  const [filters, setFilters] = useState<{ q?: string; state?: (typeof STATES)[number] }>({})
  const [editing, setEditing] = useState<Item | 'new' | 'file' | null>(null)
  const list = useInfiniteQuery(pages('catalogue.list', { ...filters, limit: 50 }))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Panel title={t('title')} wide>
      <p className="text-muted">{t('intro')}</p>
      {may('manager') && (
        <div className="flex flex-wrap gap-2">
          <Act look="main" onPress={() => setEditing('new')}>
            {t('new')}
          </Act>
          <Act onPress={() => setEditing('file')}>{t('import')}</Act>
        </div>
      )}
      <Filters onChange={setFilters} />
      <Loaded of={list}>
        {() =>
          items.length === 0 ? (
            <Empty>{filters.q || filters.state ? t('nothingFits') : t('empty')}</Empty>
          ) : (
            <>
              <ul aria-label={t('title')} className="flex flex-col gap-3">
                {items.map((item) => (
                  <ItemRow key={item.id} item={item} onEdit={() => setEditing(item)} />
                ))}
              </ul>
              <More of={list} />
            </>
          )
        }
      </Loaded>
      {editing === 'file' && <CatalogueImport onClose={() => setEditing(null)} />}
      {editing !== null && editing !== 'file' && (
        <ItemDialog item={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />
      )}
    </Panel>
  )
}

function Filters({ onChange }: { onChange(filters: { q?: string; state?: (typeof STATES)[number] }): void }) {
  const t = useTranslations('catalogue')
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const q = textOf(form, 'q')
    const state = STATES.find((each) => each === textOf(form, 'state'))
    onChange({ ...(q ? { q } : {}), ...(state ? { state } : {}) })
  }
  return (
    <form className="flex flex-col gap-2 sm:flex-row sm:items-end" onSubmit={submit}>
      <div className="min-w-0 flex-1">
        <Field label={t('find')}>
          {(className) => <input name="q" type="search" dir="auto" maxLength={100} className={className} />}
        </Field>
      </div>
      <Field label={t('state')}>
        {(className) => (
          <select name="state" className={className} onChange={(event) => event.target.form?.requestSubmit()}>
            <option value="">{t('all')}</option>
            {STATES.map((each) => (
              <option key={each} value={each}>
                {t(`states.${each}`)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Act type="submit" className="self-start sm:self-end">
        {t('search')}
      </Act>
    </form>
  )
}

function ItemRow({ item, onEdit }: { item: Item; onEdit(): void }) {
  const t = useTranslations('catalogue')
  const { may } = useAccess()
  const remove = useMutation({ ...mutation('catalogue.remove'), ...again })
  const name = isolated(item.name)
  const nameOf = useAttributeName()
  return (
    <li className="flex min-w-0 flex-col gap-2 rounded-lg border border-line p-3">
      <p className="flex flex-wrap items-baseline gap-x-3">
        <strong className="min-w-0 break-words">
          <bdi>{item.name}</bdi>
        </strong>
        {item.priceAgorot !== null && <Money amount={item.priceAgorot} currency={item.currency} />}
        <span className="text-muted text-sm">{t(`states.${item.state}`)}</span>
        {item.stock !== null && <span className="text-muted text-sm">{t('inStock', { count: item.stock })}</span>}
      </p>
      <p className="flex flex-wrap gap-x-3 text-muted text-sm">
        <bdi className="break-all">{item.sku}</bdi>
        {item.pictureUrl && (
          <a href={item.pictureUrl} target="_blank" rel="noreferrer" className="underline">
            {t('openPicture')}
          </a>
        )}
        {Object.entries(item.attributes).map(([key, value]) => (
          <span key={key} className="min-w-0 break-words">
            <bdi>{nameOf(key)}</bdi>: <bdi>{value}</bdi>
          </span>
        ))}
      </p>
      {may('manager') && (
        <div className="flex flex-wrap gap-2">
          <Act aria-label={t('editOf', { name })} onPress={onEdit}>
            {t('edit')}
          </Act>
          <Confirm
            label={t('remove')}
            question={t('removeQuestion', { name })}
            onConfirm={() => remove.mutate({ id: item.id })}
          />
        </div>
      )}
      <Problem error={remove.error} />
    </li>
  )
}

function useAttributeName() {
  const t = useTranslations('catalogue')
  return (key: string) => {
    const named = NAMED.find((each) => each === key)
    return named ? t(`attribute.${named}`) : key
  }
}

function ItemDialog({ item, onClose }: { item: Item | null; onClose(): void }) {
  const t = useTranslations('catalogue')
  const state = useTranslations('state')
  const create = useMutation({ ...mutation('catalogue.save'), ...again })
  const update = useMutation({ ...mutation('catalogue.update'), ...again })
  const [rows, setRows] = useState(() => rowsOf(item))
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const stock = textOf(form, 'stock')
    const fields = {
      sku: textOf(form, 'sku'),
      name: textOf(form, 'name'),
      description: textOf(form, 'description'),
      priceAgorot: agorotOf(form, 'price'),
      currency: choiceOf(CURRENCIES, textOf(form, 'currency')),
      pictureUrl: textOf(form, 'pictureUrl') || null,
      state: choiceOf(STATES, textOf(form, 'state')),
      stock: stock === '' ? null : Number(stock),
      attributes: Object.fromEntries(
        rows.flatMap(({ name, value }) => (name.trim() && value.trim() ? [[name.trim(), value.trim()]] : [])),
      ),
    }
    if (item) update.mutate({ id: item.id, ...fields }, { onSuccess: onClose })
    else create.mutate(fields, { onSuccess: onClose })
  }
  return (
    <Dialog title={item ? item.name : t('new')} onClose={onClose}>
      <form className="flex flex-col gap-4" onSubmit={submit}>
        <Words item={item} />
        <Numbers item={item} />
        <Field label={t('picture')} hint={t('pictureHint')}>
          {(className) => (
            <input
              name="pictureUrl"
              type="url"
              dir="ltr"
              maxLength={2_048}
              defaultValue={item?.pictureUrl ?? ''}
              className={className}
            />
          )}
        </Field>
        <Attributes rows={rows} onChange={setRows} />
        <Problem error={create.error ?? update.error} />
        <Act type="submit" look="main" isDisabled={create.isPending || update.isPending}>
          {state('save')}
        </Act>
      </form>
    </Dialog>
  )
}

function Words({ item }: { item: Item | null }) {
  const t = useTranslations('catalogue')
  return (
    <>
      <Field label={t('name')}>
        {(className) => (
          <input
            name="name"
            dir="auto"
            required
            maxLength={200}
            defaultValue={item?.name ?? ''}
            className={className}
          />
        )}
      </Field>
      <Field label={t('sku')} hint={t('skuHint')}>
        {(className) => (
          <input name="sku" dir="auto" required maxLength={100} defaultValue={item?.sku ?? ''} className={className} />
        )}
      </Field>
      <Field label={t('description')}>
        {(className) => (
          <textarea
            name="description"
            dir="auto"
            rows={3}
            maxLength={4_000}
            defaultValue={item?.description ?? ''}
            className={className}
          />
        )}
      </Field>
    </>
  )
}

function Numbers({ item }: { item: Item | null }) {
  const t = useTranslations('catalogue')
  return (
    <div className="grid grid-cols-2 items-end gap-3">
      <Field label={t('price')}>
        {(className) => (
          <input
            name="price"
            type="number"
            inputMode="decimal"
            min={0}
            step="0.01"
            defaultValue={item === null || item.priceAgorot === null ? '' : item.priceAgorot / 100}
            className={className}
          />
        )}
      </Field>
      <Field label={t('currency')}>
        {(className) => (
          <select name="currency" defaultValue={item?.currency ?? 'ILS'} className={className}>
            {CURRENCIES.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t('state')}>
        {(className) => (
          <select name="state" defaultValue={item?.state ?? 'available'} className={className}>
            {STATES.map((each) => (
              <option key={each} value={each}>
                {t(`states.${each}`)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t('stock')}>
        {(className) => (
          <input
            name="stock"
            type="number"
            inputMode="numeric"
            min={0}
            max={1_000_000}
            defaultValue={item?.stock ?? ''}
            className={className}
          />
        )}
      </Field>
    </div>
  )
}

type Row = { id: number; name: string; value: string }

function rowsOf(item: Item | null): Row[] {
  const entries = Object.entries(item?.attributes ?? {})
  const rows = entries.map(([name, value], id) => ({ id, name, value: String(value) }))
  return rows.length > 0 ? rows : ['area', 'rooms', 'size'].map((name, id) => ({ id, name, value: '' }))
}

function Attributes({ rows, onChange }: { rows: Row[]; onChange(rows: Row[]): void }) {
  const t = useTranslations('catalogue')
  const nameOf = useAttributeName()
  const change = (id: number, part: Partial<Row>) =>
    onChange(rows.map((row) => (row.id === id ? { ...row, ...part } : row)))
  return (
    <Group title={t('attributes')} hint={t('attributesHint')}>
      {rows.map((row) => (
        <div key={row.id} className="grid grid-cols-2 gap-2">
          <input
            dir="auto"
            aria-label={t('attributeName')}
            maxLength={60}
            value={nameOf(row.name)}
            onChange={(event) => change(row.id, { name: event.target.value })}
            className="min-w-0 rounded-lg border border-line bg-page px-3 py-2"
          />
          <input
            dir="auto"
            aria-label={t('attributeValue', { name: isolated(nameOf(row.name)) })}
            maxLength={500}
            value={row.value}
            onChange={(event) => change(row.id, { value: event.target.value })}
            className="min-w-0 rounded-lg border border-line bg-page px-3 py-2"
          />
        </div>
      ))}
      <Act
        className="self-start"
        onPress={() => onChange([...rows, { id: Math.max(-1, ...rows.map(({ id }) => id)) + 1, name: '', value: '' }])}
      >
        {t('addAttribute')}
      </Act>
    </Group>
  )
}
