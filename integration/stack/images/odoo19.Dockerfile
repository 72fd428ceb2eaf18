# Stand-in for the official odoo:19.0: Debian sid's package on Debian 12's Python.
FROM debian:bookworm-slim
ARG MIRROR
ARG LIBRARIES
RUN apt-get -q update \
	&& DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $LIBRARIES \
	&& rm -rf /var/lib/apt/lists/*
COPY machine.conf /etc/apt/apt.conf.d/00machine
RUN mkdir -p /tmp/apt/lists/partial /tmp/apt/cache/archives/partial && cd /tmp/apt \
	&& echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR sid main" >sources.list \
	&& printf '%s\n' 'Dir::Etc::sourcelist "/tmp/apt/sources.list";' 'Dir::Etc::sourceparts "-";' \
		'Dir::State::lists "/tmp/apt/lists";' 'Dir::Cache "/tmp/apt/cache";' 'APT::Sandbox::User "root";' >apt.conf \
	&& APT_CONFIG=/tmp/apt/apt.conf apt-get -q update \
	&& APT_CONFIG=/tmp/apt/apt.conf apt-get -q download odoo-19 \
	&& dpkg -x odoo-19*.deb / \
	&& cd / && rm -rf /tmp/apt \
	&& python3 -m compileall -q -j 0 /usr/lib/python3/dist-packages/odoo
RUN useradd --system --home-dir /var/lib/odoo --shell /bin/sh odoo \
	&& mkdir -p /var/lib/odoo /etc/odoo /mnt/extra-addons \
	&& touch /etc/odoo/odoo.conf \
	&& chown odoo /var/lib/odoo /etc/odoo/odoo.conf /mnt/extra-addons
COPY odoo-entrypoint.sh /entrypoint.sh
ENV LANG=C.UTF-8 ODOO_RC=/etc/odoo/odoo.conf
VOLUME ["/var/lib/odoo", "/mnt/extra-addons"]
EXPOSE 8069 8071 8072
USER odoo
ENTRYPOINT ["/bin/sh", "/entrypoint.sh"]
CMD ["odoo"]
