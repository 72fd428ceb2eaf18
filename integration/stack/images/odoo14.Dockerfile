# Stand-in for the official odoo:14.0: Debian 11's package. The root may have it already.
FROM lateral-odoo14-root
RUN [ -x /usr/bin/odoo ] || { \
	apt-get -q update \
	&& DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends odoo-14 \
	&& rm -rf /var/lib/apt/lists/*; }
RUN mkdir -p /var/lib/odoo /etc/odoo /mnt/extra-addons \
	&& chown -R odoo /var/lib/odoo /etc/odoo /mnt/extra-addons
COPY odoo-entrypoint.sh /entrypoint.sh
ENV LANG=C.UTF-8 ODOO_RC=/etc/odoo/odoo.conf PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME ["/var/lib/odoo", "/mnt/extra-addons"]
EXPOSE 8069 8071 8072
USER odoo
ENTRYPOINT ["/bin/sh", "/entrypoint.sh"]
CMD ["odoo"]
