# Makes the users, the second company, the translations and the odd records that the tests rely on. It is read by
# "odoo shell" as superuser, on a fresh database with demo data, and serves 14.0 and 19.0.
import base64
import io

from PIL import Image

# Neither mails nor messages in the chatter: they would only make the database bigger.
env = env(context=dict(env.context, tracking_disable=True, mail_create_nolog=True, mail_notrack=True,
                       no_reset_password=True))


def field(model, *names):
    """The first of the names that the model has a field of: some were renamed between the versions."""
    return next(name for name in names if name in env[model]._fields)


GROUPS = field('res.users', 'group_ids', 'groups_id')
TAXES = field('sale.order.line', 'tax_ids', 'tax_id')


def link(*records):
    return [(6, 0, [record.id for record in records])]


def picture(colour, size):
    out = io.BytesIO()
    Image.new('RGB', (size, size), colour).save(out, 'PNG')
    return base64.b64encode(out.getvalue())


# --- A second language, as an administrator would add it. (Odoo's option --load-language would make it the default.)

lang = env['res.lang'].with_context(active_test=False).search([('code', '=', 'fr_FR')])
wizard = env['base.language.install']
wizard.create({'lang_ids': link(lang)} if 'lang_ids' in wizard._fields else {'lang': lang.code}).lang_install()

main = env.ref('base.main_company')
admin = env.ref('base.user_admin')
demo = env.ref('base.user_demo')

# --- The second company, with a chart of accounts and a warehouse. Without an address for mail or web, or Odoo would
# ask a service of its maker about it.

euro = env.ref('base.EUR')
euro.active = True
second = env['res.company'].create({
    'name': 'Second Company',
    'currency_id': euro.id,
    'country_id': env.ref('base.us').id,
    'street': '2 Second Street',
    'city': 'Springfield',
})
env.cr.commit()  # 19.0 loads the chart of accounts of the company's country just before this commit
if 'chart_template_id' in second._fields:
    (main.chart_template_id or env.ref('l10n_generic_coa.configurable_chart_template')).try_loading(company=second)
elif not second.chart_template:
    env['account.chart.template'].try_loading(main.chart_template or 'generic_coa', company=second, install_demo=False)
second.currency_id = euro
admin.company_ids = [(4, second.id)]
warehouse = env['stock.warehouse'].search([('company_id', '=', second.id)], limit=1)
if not warehouse:  # 14.0 makes one with each company
    warehouse = env['stock.warehouse'].create({'name': 'Second Warehouse', 'code': 'SEC', 'company_id': second.id})

# --- Users.


def user(login, name, company, groups, **values):
    record = env['res.users'].create(dict({
        'login': login,
        'password': login,
        'name': name,
        'email': '%s@example.com' % login,
        'company_id': company.id,
        'company_ids': link(company),
        GROUPS: link(*[env.ref(group) for group in groups]),
    }, **values))
    record.partner_id.email = record.email
    return record


salesman = user('salesman', 'Sam Salesman', main, ['base.group_user', 'sales_team.group_sale_salesman'],
                tz='America/New_York')
accountant = user('accountant', 'Anne Accountant', main,
                  ['base.group_user', 'account.group_account_user', 'account.group_account_invoice'],
                  lang='fr_FR', tz='Europe/Paris')
seconder = user('second', 'Sue Second', second,
                ['base.group_user', 'sales_team.group_sale_salesman_all_leads', 'stock.group_stock_user',
                 'account.group_account_user', 'account.group_account_invoice'])

# --- Customers with addresses, one of them archived.


def customer(name, company=False, **values):
    partner = env['res.partner'].create(dict({
        'name': name,
        'is_company': True,
        'email': 'office@%s.example.com' % name.split()[0].lower(),
        'street': '1 %s Road' % name.split()[0],
        'city': 'Scranton',
        'zip': '18503',
        'state_id': env.ref('base.state_us_39').id,
        'country_id': env.ref('base.us').id,
        'company_id': company and company.id,
    }, **values))
    children = env['res.partner'].create([
        {'parent_id': partner.id, 'type': 'invoice', 'name': name + ' Invoices', 'street': '2 Bill Street',
         'company_id': company and company.id},
        {'parent_id': partner.id, 'type': 'delivery', 'name': name + ' Warehouse', 'street': '3 Dock Street',
         'company_id': company and company.id},
        {'parent_id': partner.id, 'type': 'contact', 'name': 'Former Contact of ' + name,
         'company_id': company and company.id},
    ])
    children[2].active = False
    return partner


paper = customer('Paper Great Customer', user_id=salesman.id, image_1920=picture('teal', 300))
steel = customer('Steel & Sons "Quoted" Ltd', user_id=salesman.id, comment='<p>Line one<br/>line two – ünïcödé ✓</p>')
glass = customer('Glass Customer', user_id=demo.id)
archived_customer = customer('Bankrupt Customer')
accountant.partner_id.image_1920 = picture('purple', 200)

# --- Products: some translated, one with a picture, one that is archived while orders still have it.

category = env['product.category'].create({'name': 'Lateral Goods', 'parent_id': env.ref('product.product_category_all').id
                                           if env.ref('product.product_category_all', raise_if_not_found=False) else False})
subcategory = env['product.category'].create({'name': 'Lateral Tools', 'parent_id': category.id})


def product(name, price, **values):
    return env['product.product'].create(dict({
        'name': name, 'list_price': price, 'type': 'consu', 'categ_id': subcategory.id,
        'default_code': 'LAT-' + name.split()[0].upper(),
    }, **values))


hammer = product('Hammer', 19.99, image_1920=picture('orange', 400), description_sale='A hammer.\nWith a handle.')
saw = product('Saw', 24.5, barcode='2000000000017')
service = product('Assembly Service', 60.0, type='service', invoice_policy='order')
ladder = product('Discontinued Ladder', 99.0)

french = {
    hammer.product_tmpl_id: {'name': 'Marteau', 'description_sale': 'Un marteau.\nAvec un manche.'},
    saw.product_tmpl_id: {'name': 'Scie'},
    service.product_tmpl_id: {'name': 'Service de montage'},
    category: {'name': 'Marchandises'},
    subcategory: {'name': 'Outils'},
}
for sample in env['product.template'].search([('id', '<', hammer.product_tmpl_id.id)], order='id', limit=6):
    french[sample] = {'name': 'Produit : ' + sample.name}
for sample in env['product.category'].search([('id', '<', category.id)], order='id', limit=2):
    french[sample] = {'name': 'Catégorie : ' + sample.name}
for record, values in french.items():
    record.with_context(lang='fr_FR').write(values)

# --- Taxes, one archived while order lines still have it.

tax = env['account.tax'].create({'name': 'Lateral 7%', 'amount': 7.0, 'type_tax_use': 'sale', 'company_id': main.id})
old_tax = env['account.tax'].create({'name': 'Lateral old 3%', 'amount': 3.0, 'type_tax_use': 'sale',
                                     'company_id': main.id})

# --- Orders: the salesman's own in every state, others', and some of nobody.


def order(partner, who, products, company=main, confirm=False, taxes=None, **values):
    lines = []
    for number, item in enumerate(products, 1):
        line = {'product_id': item.id, 'product_uom_qty': number, 'price_unit': item.list_price}
        if taxes is not None:
            line[TAXES] = link(*taxes)
        lines.append((0, 0, line))
    record = env['sale.order'].with_company(company).create(dict({
        'partner_id': partner.id,
        'user_id': who and who.id,
        'company_id': company.id,
        'order_line': lines,
    }, **values))
    if confirm:
        record.action_confirm()
    return record


draft = order(paper, salesman, [hammer, saw], taxes=[tax], client_order_ref='PO-1', note='Own draft')
sent = order(steel, salesman, [service], taxes=[])
sent.state = 'sent'
confirmed = order(paper, salesman, [hammer, service, ladder], confirm=True, taxes=[tax, old_tax])
cancelled = order(glass, salesman, [saw], taxes=[tax])
cancelled.state = 'cancel'
others = order(glass, demo, [hammer, saw, service], confirm=True, taxes=[tax])
nobodys = order(paper, False, [hammer], taxes=[old_tax])
of_archived = order(archived_customer, admin, [ladder, hammer])
assert not nobodys.user_id and draft.user_id == salesman

# A section and a note: lines without a product.
draft.write({'order_line': [
    (0, 0, {'display_type': 'line_section', 'name': 'Section', 'sequence': 1}),
    (0, 0, {'display_type': 'line_note', 'name': 'A note', 'sequence': 99}),
]})


def invoice(partner, item, company=main):
    move = env['account.move'].with_company(company).create({
        'move_type': 'out_invoice',
        'partner_id': partner.id,
        'invoice_date': '2024-01-15',
        'invoice_line_ids': [(0, 0, {'product_id': item.id, 'quantity': 2, 'price_unit': 50.0})],
    })
    move.action_post()
    return move


invoice(paper, service)
env['account.move'].create({
    'move_type': 'out_invoice', 'partner_id': steel.id,
    'invoice_line_ids': [(0, 0, {'product_id': hammer.id, 'quantity': 1, 'price_unit': 19.99})],
})

# --- The second company's own records.

paris = customer('Paris Customer of Second', company=second)
lyon = customer('Lyon Customer of Second', company=second)
gadget = product('Gadget of Second', 12.0, company_id=second.id)
order(paris, seconder, [gadget, hammer], company=second, confirm=True, taxes=[], warehouse_id=warehouse.id)
order(lyon, seconder, [gadget], company=second, taxes=[], warehouse_id=warehouse.id)
order(paper, seconder, [hammer], company=second, taxes=[], warehouse_id=warehouse.id)
order(lyon, False, [gadget], company=second, taxes=[], warehouse_id=warehouse.id)
invoice(paris, gadget, company=second)

# --- Values that differ per company.

for index, item in enumerate((hammer, saw, service), 1):
    item.with_company(main).standard_price = 10.0 * index
    item.with_company(second).standard_price = 11.0 * index
immediate = env.ref('account.account_payment_term_immediate')
later = env.ref('account.account_payment_term_end_following_month', raise_if_not_found=False) \
    or env.ref('account.account_payment_term_30days')
for partner in (paper, steel):
    partner.with_company(main).property_payment_term_id = immediate
    partner.with_company(second).property_payment_term_id = later
glass.with_company(second).property_payment_term_id = later  # and none in the main company


def accounts(company, *kinds):
    model = env['account.account'].with_company(company)
    kind = 'account_type' if 'account_type' in model._fields else 'user_type_id.type'
    owner = 'company_ids' if 'company_ids' in model._fields else 'company_id'
    return model.search([(owner, 'in', company.ids), (kind, 'in', kinds)], order='id')


for company in (main, second):
    receivable = accounts(company, 'asset_receivable', 'receivable')
    # Charts have a second receivable account for the point of sale: the last is not the default.
    paper.with_company(company).property_account_receivable_id = receivable[-1]
income = accounts(second, 'income', 'other')
subcategory.with_company(second).property_account_income_categ_id = income[-1]

# --- Attachments: in the filestore, in the database, and one that is only a link.

text = base64.b64encode('Terms, with an é.\n'.encode())
env['ir.attachment'].create([
    {'name': 'terms.txt', 'datas': text, 'res_model': 'sale.order', 'res_id': draft.id, 'mimetype': 'text/plain'},
    {'name': 'terms.txt', 'datas': text, 'res_model': 'sale.order', 'res_id': others.id, 'mimetype': 'text/plain'},
    {'name': 'plan.png', 'datas': picture('navy', 64), 'res_model': 'res.partner', 'res_id': paper.id},
    {'name': 'link', 'type': 'url', 'url': 'https://example.com/', 'res_model': 'res.partner', 'res_id': paper.id},
])
parameters = env['ir.config_parameter']
parameters.set_param('ir_attachment.location', 'db')
env['ir.attachment'].create({'name': 'in-database.txt', 'datas': text, 'res_model': 'res.partner', 'res_id': steel.id})
parameters.search([('key', '=', 'ir_attachment.location')]).unlink()

# --- What is archived in the end, after everything refers to it.

ladder.active = False
old_tax.active = False
archived_customer.active = False
env['product.template'].search([('name', '=', 'Gadget of Second')]).description = 'Only in the second company'

# The style sheets of reports are compiled once here instead of in everybody's first report.
if hasattr(env['ir.qweb'], '_get_asset_bundle'):
    for bundle in ('web.report_assets_common', 'web.report_assets_pdf'):
        env['ir.qweb']._get_asset_bundle(bundle, css=True, js=False).css()

parameters.set_param('lateral.prepared', '1')
env.cr.commit()
