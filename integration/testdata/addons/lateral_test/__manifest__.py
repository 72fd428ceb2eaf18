{
    'name': 'Models as a customer writes them',
    'version': '1.0',
    'depends': ['base'],
    'data': ['access.xml'],
    'license': 'LGPL-3',
}
