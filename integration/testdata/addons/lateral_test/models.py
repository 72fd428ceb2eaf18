from odoo import api, fields, models


class Hidden(models.Model):
    """Its rows are decided by Python: no column, rule or ACL tells which are hidden."""
    _name = 'lateral.hidden'
    _description = 'Hidden by Python'
    _order = 'name'

    name = fields.Char()
    secret = fields.Boolean()
    ruled_id = fields.Many2one('lateral.ruled')

    @api.model
    def _search(self, domain, *args, **kwargs):
        if not self.env.su and not self.env.user.has_group('base.group_system'):
            domain = ['&', ('secret', '=', False)] + (list(domain) or [(1, '=', 1)])
        return super()._search(domain, *args, **kwargs)


class Ruled(models.Model):
    """Its rule calls a method of the user."""
    _name = 'lateral.ruled'
    _description = 'Hidden by a rule'
    _order = 'level desc, id'

    name = fields.Char(translate=True)
    level = fields.Integer()
    hidden_ids = fields.One2many('lateral.hidden', 'ruled_id')


class Computed(models.Model):
    """A computed field that is stored, one that is not, and relations to the other models."""
    _name = 'lateral.computed'
    _description = 'Computed'

    name = fields.Char(required=True)
    amount = fields.Float(digits=(16, 2))
    factor = fields.Integer(default=1)
    total = fields.Float(compute='_compute_total', store=True)
    text = fields.Char(compute='_compute_text')
    ruled_ids = fields.Many2many('lateral.ruled')
    category_id = fields.Many2one('res.partner.category')
    note = fields.Char(related='category_id.lateral_note')

    @api.depends('amount', 'factor')
    def _compute_total(self):
        for record in self:
            record.total = record.amount * record.factor

    def _compute_text(self):
        for record in self:
            record.text = '%s of %s' % (record.name, self.env.user.login)


class Category(models.Model):
    _inherit = 'res.partner.category'

    lateral_note = fields.Char()

    def read(self, *args, **kwargs):
        rows = super().read(*args, **kwargs)
        for row in rows:
            if row.get('lateral_note'):
                row['lateral_note'] = row['lateral_note'].upper()
        return rows
